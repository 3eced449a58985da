#include "client/ippctl/order.h"

#include <vector>

#include "absl/numeric/int128.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "client/ippctl/fields.h"

namespace ipp::ippctl {
namespace {

namespace v1 = ::kustom::ipp::v1;

constexpr int64_t kMaxTaxRate = 10'000;

absl::Status CheckTaxRate(int64_t tax_rate) {
  if (tax_rate >= 0 && tax_rate <= kMaxTaxRate) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("tax rate ", tax_rate, " is not 0 to 10000 basis points (2500 is 25 %)"));
}

}  // namespace

int64_t InclusiveTax(int64_t total, int64_t tax_rate) {
  const absl::int128 numerator = absl::int128(total) * tax_rate;
  const absl::int128 denominator = 10'000 + tax_rate;
  const absl::int128 half = (numerator < 0 ? -denominator : denominator) / 2;
  return static_cast<int64_t>((numerator + half) / denominator);
}

absl::StatusOr<v1::OrderItem> ParseItem(absl::string_view text) {
  const auto wrong = [&](absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat("--item '", text, "': ", what));
  };
  std::vector<std::string> parts = absl::StrSplit(text, ',');
  v1::OrderItem item;
  int64_t number = 0;
  if (parts.size() > 4 && !absl::SimpleAtoi(parts.back(), &number)) {
    const int type = EnumNumber(v1::OrderItemType_descriptor(), parts.back());
    if (type == 0) {
      return wrong(absl::StrCat("type '", parts.back(), "' is not one of ",
                                absl::StrJoin(EnumChoices(v1::OrderItemType_descriptor()), ", ")));
    }
    item.set_type(static_cast<v1::OrderItemType>(type));
    parts.pop_back();
  }
  if (parts.size() < 4) return wrong("expected name,quantity,unit_price,tax_rate[,type]");
  int64_t values[3] = {};
  constexpr const char* kNames[3] = {"quantity", "unit price", "tax rate"};
  const size_t first = parts.size() - 3;
  for (size_t i = 0; i < 3; ++i) {
    if (!absl::SimpleAtoi(parts[first + i], &values[i])) {
      return wrong(absl::StrCat(kNames[i], " '", parts[first + i], "' is not a whole number"));
    }
  }
  const auto [quantity, unit_price, tax_rate] = values;
  parts.resize(first);
  item.set_name(absl::StrJoin(parts, ","));
  if (item.name().empty()) return wrong("the name is empty");
  if (quantity < 1) return wrong("the quantity must be 1 or more");
  if (const absl::Status status = CheckTaxRate(tax_rate); !status.ok()) {
    return wrong(status.message());
  }
  int64_t total = 0;
  if (__builtin_mul_overflow(quantity, unit_price, &total)) return wrong("the total is too large");
  if (item.type() == v1::ORDER_ITEM_TYPE_UNSPECIFIED) {
    item.set_type(unit_price < 0 ? v1::ORDER_ITEM_TYPE_DISCOUNT : v1::ORDER_ITEM_TYPE_PHYSICAL);
  }
  item.set_quantity(quantity);
  item.set_unit_price(unit_price);
  item.set_total_amount(total);
  item.set_tax_rate(tax_rate);
  item.set_total_tax_amount(InclusiveTax(total, tax_rate));
  return item;
}

absl::StatusOr<v1::OrderItem> SingleLine(const std::string& name, int64_t amount,
                                         int64_t tax_rate) {
  if (const absl::Status status = CheckTaxRate(tax_rate); !status.ok()) return status;
  v1::OrderItem item;
  item.set_type(v1::ORDER_ITEM_TYPE_PHYSICAL);
  item.set_name(name);
  item.set_quantity(1);
  item.set_unit_price(amount);
  item.set_total_amount(amount);
  item.set_tax_rate(tax_rate);
  item.set_total_tax_amount(InclusiveTax(amount, tax_rate));
  return item;
}

absl::Status SumUp(v1::CreateSessionRequest* request) {
  int64_t amount = 0;
  int64_t tax = 0;
  for (const v1::OrderItem& item : request->order_items()) {
    if (__builtin_add_overflow(amount, item.total_amount(), &amount) ||
        __builtin_add_overflow(tax, item.total_tax_amount(), &tax)) {
      return absl::InvalidArgumentError("the sum of the items is too large");
    }
  }
  request->set_order_amount(amount);
  request->set_order_tax_amount(tax);
  return absl::OkStatus();
}

}  // namespace ipp::ippctl
