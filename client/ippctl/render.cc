#include "client/ippctl/render.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/ippctl/column.h"
#include "client/ippctl/fields.h"
#include "client/ippctl/table.h"
#include "client/ippctl/text.h"
#include "server/base/protobuf_time.h"

namespace ipp::ippctl {
namespace {

namespace v1 = ::kustom::ipp::v1;

std::string MinorAndMajor(int64_t amount, const std::string& currency) {
  return absl::StrCat(FormatMoney(amount, currency), " (", amount, " minor units)");
}

// Basis points as people say them: 2500 → "25 %", 1250 → "12.5 %".
std::string Percent(int64_t basis_points) {
  std::string text = FormatMoney(basis_points, "");
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return absl::StrCat(text, " %");
}

std::string RenderLines(const v1::Session& session, const Look& look) {
  if (session.order_items().empty()) return "";
  Table table(std::vector<Table::Heading>{{.text = "LINE", .shrinks = true},
                                          {.text = "TYPE", .drop = 2},
                                          {.text = "QUANTITY"},
                                          {.text = "UNIT PRICE", .drop = 1},
                                          {.text = "TOTAL"},
                                          {.text = "TAX RATE"},
                                          {.text = "TAX"}});
  const std::string& currency = session.purchase_currency();
  for (const v1::OrderItem& item : session.order_items()) {
    table.Add({item.name(), EnumText(v1::OrderItemType_descriptor(), item.type(), item.type_raw()),
               absl::StrCat(item.quantity()), FormatMoney(item.unit_price(), currency),
               FormatMoney(item.total_amount(), currency), Percent(item.tax_rate()),
               FormatMoney(item.total_tax_amount(), currency)});
  }
  return absl::StrCat("\n", table.Render(look));
}

// What the gateway could not read of the upstream's answer: its emptiness means nothing.
template <typename Resource>
std::string Unreadable(const Resource& resource) {
  return absl::StrJoin(resource.unreadable_fields(), ", ");
}

}  // namespace

std::string PlatformText(const v1::Device& device) {
  return EnumText(v1::DevicePlatform_descriptor(), device.platform(), device.platform_raw());
}

std::string StatusText(const v1::Session& session) {
  return EnumText(v1::SessionStatus_descriptor(), session.status(), session.status_raw());
}

std::string RenderDevice(const v1::Device& device, const Look& look) {
  Properties properties;
  properties.Add("Device", device.id());
  properties.Add("Name", device.name());
  properties.Add("Platform", PlatformText(device));
  properties.Add("Merchant", device.merchant_id());
  properties.Add("Location", device.location_id().empty() ? "none" : device.location_id());
  properties.Add("Cash register", device.has_open_cash_register_id()
                                      ? absl::StrCat(device.open_cash_register_id())
                                      : "none open");
  properties.Add("Hardware", device.hardware_id());
  properties.Add("Metadata", MapText(device.metadata()));
  properties.Add("Created", FormatTimestamp(device.created_at(), look.zone));
  properties.Add("Unreadable", Unreadable(device));
  return properties.Render(look);
}

std::string RenderSession(const v1::Session& session, const Look& look,
                          const std::string& request_id, bool replayed) {
  const std::string& currency = session.purchase_currency();
  Properties properties;
  properties.Add("Session", session.session_id());
  properties.Add("Status", StatusText(session), PaintOf(StatusText(session)));
  properties.Add("Amount", MinorAndMajor(session.order_amount(), currency));
  properties.Add("Tax", MinorAndMajor(session.order_tax_amount(), currency));
  properties.Add("Order", session.order_id());
  properties.Add("Device", session.device_id());
  properties.Add("Reference", session.merchant_reference1());
  properties.Add("Reference 2", session.merchant_reference2());
  properties.Add("Merchant data", session.merchant_data());
  properties.Add("Started", FormatTimestamp(session.purchase_started_at(), look.zone));
  properties.Add("Completed", FormatTimestamp(session.purchase_completed_at(), look.zone));
  properties.Add("Unreadable", Unreadable(session));
  properties.Add("Request id", request_id);
  properties.Add("Replayed", replayed ? "yes: an earlier call made it" : "");
  return properties.Render(look) + RenderLines(session, look);
}

std::string RenderStep(const v1::WatchSessionResponse& step, bool attempt, absl::Time heard_at,
                       const Look& look) {
  using Step = v1::WatchSessionResponse;
  const auto note = [attempt](const Step& s) {
    const std::string order =
        s.session().order_id().empty() ? "" : absl::StrCat("order ", s.session().order_id());
    if (s.session().status() == v1::SESSION_STATUS_FAILED) return order + s.failure_reason();
    if (!attempt && s.failure_reason().empty()) return order;
    return absl::StrCat(order, "payment failed", s.failure_reason().empty() ? "" : ": ",
                        s.failure_reason());
  };
  const std::vector<Column> columns = {
      ColumnOf<Step>(
          "TIME", [&](const Step&, const Look& as) { return TableTime(ToTimestamp(heard_at), as); },
          {.time = true}),
      ColumnOf<Step>("STATUS", [](const Step& s) { return StatusText(s.session()); },
                     {.width = 9, .painted = true}),
      ColumnOf<Step>("AMOUNT",
                     [](const Step& s) {
                       return FormatMoney(s.session().order_amount(),
                                          s.session().purchase_currency());
                     },
                     {.width = 12}),
      ColumnOf<Step>("NOTE", note, {.width = kOrderNote})};
  return RenderLine(columns, step, false, look);
}

}  // namespace ipp::ippctl
