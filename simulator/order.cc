#include "simulator/order.h"

#include <algorithm>
#include <cstdlib>

namespace ipp::simulator {
namespace {

__extension__ using Wide = __int128;  // products and sums of any two int64 fit

constexpr std::string_view kTypes[] = {"physical", "discount", "digital", "shipping_fee",
                                       "surcharge"};
constexpr int64_t kMaxTaxRate = 10'000;

bool IsCurrency(std::string_view text) {
  return text.size() == 3 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

// The tax is included in the price: total x rate / (10000 + rate). How the real service rounds is
// not known; a difference of one minor unit per piece is accepted.
bool IsTaxRight(const OrderItem& item) {
  const Wide divisor = 10'000 + item.tax_rate;
  const Wide difference =
      Wide{item.total_tax_amount} * divisor - Wide{item.total_amount} * item.tax_rate;
  const Wide tolerance = divisor * item.quantity;
  return difference <= tolerance && -difference <= tolerance;
}

OrderItem ReadItem(Fields& fields, bool strict_tax) {
  OrderItem item;
  item.type = fields.String("type", kOptional).value_or(std::string());
  if (!item.type.empty() &&
      std::find(std::begin(kTypes), std::end(kTypes), item.type) == std::end(kTypes)) {
    fields.Error("type", "must be one of physical, discount, digital, shipping_fee, surcharge");
  }
  item.reference = fields.String("reference", kOptional).value_or(std::string());
  item.name = fields.NonBlank("name", kRequired).value_or(std::string());
  item.quantity = fields.Integer("quantity", kOptional).value_or(1);
  const auto unit_price = fields.Integer("unit_price", kRequired);
  const auto total_amount = fields.Integer("total_amount", kRequired);
  const auto tax_rate = fields.Integer("tax_rate", kRequired);
  item.total_discount_amount = fields.Integer("total_discount_amount", kOptional).value_or(0);
  const auto total_tax_amount = fields.Integer("total_tax_amount", kRequired);
  item.unit_price = unit_price.value_or(0);
  item.total_amount = total_amount.value_or(0);
  item.tax_rate = tax_rate.value_or(0);
  item.total_tax_amount = total_tax_amount.value_or(0);

  if (item.total_discount_amount < 0) {
    fields.Error("total_discount_amount", "must be greater than or equal to 0");
  }
  if (item.quantity < 1) {
    fields.Error("quantity", "must be greater than 0");
    return item;  // arithmetic makes no sense with invalid values
  }
  if (item.tax_rate < 0 || item.tax_rate > kMaxTaxRate) {
    fields.Error("tax_rate", "must be between 0 and 10000");
    return item;
  }
  if (unit_price && total_amount &&
      Wide{item.unit_price} * item.quantity - item.total_discount_amount != item.total_amount) {
    fields.Error("total_amount", "must be unit_price x quantity - total_discount_amount");
  }
  if (strict_tax && total_amount && tax_rate && total_tax_amount && !IsTaxRight(item)) {
    fields.Error("total_tax_amount", "must be total_amount x tax_rate / (10000 + tax_rate)");
  }
  return item;
}

}  // namespace

Session ReadOrder(Fields& fields, bool strict_tax) {
  Session session;
  session.device_id = fields.Uuid("device_id", kRequired).value_or(std::string());
  const auto order_amount = fields.Integer("order_amount", kRequired);
  session.order_amount = order_amount.value_or(0);
  if (order_amount && *order_amount < 1) fields.Error("order_amount", "must be greater than 0");
  session.order_tax_amount = fields.Integer("order_tax_amount", kOptional);
  session.purchase_currency =
      fields.String("purchase_currency", kRequired).value_or(std::string("XXX"));
  if (!IsCurrency(session.purchase_currency)) {
    fields.Error("purchase_currency", "must match \"^[A-Z]{3}$\"");
  }
  session.purchase_started_at = fields.DateTime("purchase_started_at");
  fields.DateTime("purchase_completed_at");  // checked, but only the payment sets it
  bool has_all_totals = true;
  fields.Objects("order_items", [&](Fields& item) {
    session.order_items.push_back(ReadItem(item, strict_tax));
    has_all_totals = has_all_totals && item.Has("total_amount");
  });
  session.merchant_reference1 = fields.String("merchant_reference1", kOptional);
  session.merchant_reference2 = fields.String("merchant_reference2", kOptional);
  session.merchant_data = fields.String("merchant_data", kOptional);

  Wide sum = 0;
  for (const OrderItem& item : session.order_items) sum += item.total_amount;
  if (order_amount && !session.order_items.empty() && has_all_totals && sum != *order_amount) {
    fields.Error("order_amount", "must be the sum of total_amount over order_items");
  }
  return session;
}

}  // namespace ipp::simulator
