#include "client/ippctl/create_session.h"

#include <google/protobuf/util/json_util.h>

#include <iterator>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/ippctl/fields.h"
#include "client/ippctl/file_text.h"
#include "client/ippctl/order.h"
#include "client/ippctl/text.h"

namespace ipp::ippctl {
namespace {

namespace v1 = ::kustom::ipp::v1;

// They describe the order, which a JSON file describes as a whole.
constexpr const char* kOrderFlags[] = {"amount", "currency", "item", "name", "tax-rate"};

absl::StatusOr<v1::CreateSessionRequest> FromJson(const FlagValues& flags, std::istream& in) {
  for (const char* name : kOrderFlags) {
    if (flags.Has(name)) {
      return absl::InvalidArgumentError(
          absl::StrCat("--", name, " and --from-json exclude each other"));
    }
  }
  const std::string path = flags.Text("from-json");
  std::string json;
  if (path == "-") {
    json.assign(std::istreambuf_iterator<char>(in), {});
  } else {
    auto text = ReadFileText(path);
    if (!text) return absl::NotFoundError(absl::StrCat("cannot read ", path));
    json = *std::move(text);
  }
  v1::CreateSessionRequest request;
  const auto status = google::protobuf::util::JsonStringToMessage(json, &request);
  if (!status.ok()) {
    const auto message = status.message();
    return absl::InvalidArgumentError(absl::StrCat(
        path == "-" ? "standard input" : path,
        " is not a CreateSessionRequest: ", Printable({message.data(), message.size()})));
  }
  return request;
}

absl::StatusOr<v1::CreateSessionRequest> FromFlags(const FlagValues& flags) {
  for (const char* name : {"device", "currency"}) {
    if (!flags.Has(name))
      return absl::InvalidArgumentError(absl::StrCat("--", name, " is required"));
  }
  v1::CreateSessionRequest request;
  request.set_purchase_currency(flags.Text("currency"));
  if (!flags.Has("item")) {
    if (!flags.Has("amount")) return absl::InvalidArgumentError("give --amount or --item");
    const std::string name = flags.Has("name") ? flags.Text("name") : "Purchase";
    auto line = SingleLine(name, flags.Integer("amount"), flags.Integer("tax-rate"));
    if (!line.ok()) return line.status();
    *request.add_order_items() = *std::move(line);
  }
  for (const char* name : {"name", "tax-rate"}) {
    if (flags.Has("item") && flags.Has(name)) {
      return absl::InvalidArgumentError(absl::StrCat("--", name, " and --item exclude each other"));
    }
  }
  for (const std::string& text : flags.All("item")) {
    auto item = ParseItem(text);
    if (!item.ok()) return item.status();
    *request.add_order_items() = *std::move(item);
  }
  if (const absl::Status status = SumUp(&request); !status.ok()) return status;
  if (flags.Has("amount") && flags.Integer("amount") != request.order_amount()) {
    return absl::InvalidArgumentError(absl::StrCat("--amount is ", flags.Text("amount"),
                                                   ", but the items sum up to ",
                                                   request.order_amount()));
  }
  return request;
}

}  // namespace

std::vector<Flag> CreateSessionFlags() {
  return {
      {.name = "device",
       .value = "ID",
       .help = "the phone that shows it (UUID)",
       .source = "devices"},
      {.name = "amount",
       .kind = FlagKind::kInteger,
       .value = "N",
       .help = "minor units, tax included; with --item it is checked against their sum"},
      {.name = "currency", .value = "CODE", .help = "ISO 4217, for example SEK"},
      {.name = "item",
       .value = "ITEM",
       .help = "a line: 'name,quantity,unit_price,tax_rate[,type]'",
       .repeated = true},
      {.name = "name", .value = "TEXT", .help = "without --item: what the customer reads"},
      {.name = "tax-rate",
       .kind = FlagKind::kInteger,
       .value = "N",
       .help = "without --item: basis points, 2500 is 25 %; left out: 0"},
      {.name = "reference", .value = "TEXT", .help = "the shop's own order number"},
      {.name = "reference2", .value = "TEXT", .help = "a second reference"},
      {.name = "merchant-data", .value = "TEXT", .help = "anything that the shop wants back"},
      LocationFlag(),
      RequestIdFlag(),
      {.name = "from-json",
       .value = "FILE",
       .help = "the request as JSON; - is standard input; flags for the rest override it"},
  };
}

absl::StatusOr<v1::CreateSessionRequest> BuildCreateSession(const FlagValues& flags,
                                                            std::istream& in) {
  auto request = flags.Has("from-json") ? FromJson(flags, in) : FromFlags(flags);
  if (!request.ok()) return request;
  if (flags.Has("device")) request->set_device_id(flags.Text("device"));
  if (flags.Has("reference")) request->set_merchant_reference1(flags.Text("reference"));
  if (flags.Has("reference2")) request->set_merchant_reference2(flags.Text("reference2"));
  if (flags.Has("merchant-data")) request->set_merchant_data(flags.Text("merchant-data"));
  if (flags.Has("location")) request->set_location_id(flags.Text("location"));
  if (flags.Has("request-id")) request->set_request_id(flags.Text("request-id"));
  if (request->request_id().empty()) request->set_request_id(NewRequestId());
  return request;
}

}  // namespace ipp::ippctl
