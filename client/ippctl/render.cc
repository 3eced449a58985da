#include "client/ippctl/render.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/ippctl/fields.h"
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

std::string RenderLines(const v1::Session& session) {
  if (session.order_items().empty()) return "";
  Table table({"LINE", "TYPE", "QUANTITY", "UNIT PRICE", "TOTAL", "TAX RATE", "TAX"});
  const std::string& currency = session.purchase_currency();
  for (const v1::OrderItem& item : session.order_items()) {
    table.Add({item.name(), EnumText(v1::OrderItemType_descriptor(), item.type(), item.type_raw()),
               absl::StrCat(item.quantity()), FormatMoney(item.unit_price(), currency),
               FormatMoney(item.total_amount(), currency), Percent(item.tax_rate()),
               FormatMoney(item.total_tax_amount(), currency)});
  }
  return absl::StrCat("\n", table.Render());
}

// What the gateway could not read of the upstream's answer: its emptiness means nothing.
template <typename Resource>
std::string Unreadable(const Resource& resource) {
  return absl::StrJoin(resource.unreadable_fields(), ", ");
}

std::string Column(const std::string& text, size_t width) {
  const std::string printable = Printable(text);
  const size_t used = DisplayWidth(printable);
  return absl::StrCat(printable, std::string(used < width ? width - used : 0, ' '), "  ");
}

std::string Line(std::string text) {
  text.erase(text.find_last_not_of(' ') + 1);
  return text + "\n";
}

}  // namespace

std::string PlatformText(const v1::Device& device) {
  return EnumText(v1::DevicePlatform_descriptor(), device.platform(), device.platform_raw());
}

std::string StatusText(const v1::Session& session) {
  return EnumText(v1::SessionStatus_descriptor(), session.status(), session.status_raw());
}

std::string RenderDevice(const v1::Device& device) {
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
  properties.Add("Created", FormatTimestamp(device.created_at()));
  properties.Add("Unreadable", Unreadable(device));
  return properties.Render();
}

std::string RenderSession(const v1::Session& session, const std::string& request_id,
                          bool replayed) {
  const std::string& currency = session.purchase_currency();
  Properties properties;
  properties.Add("Session", session.session_id());
  properties.Add("Status", StatusText(session));
  properties.Add("Amount", MinorAndMajor(session.order_amount(), currency));
  properties.Add("Tax", MinorAndMajor(session.order_tax_amount(), currency));
  properties.Add("Order", session.order_id());
  properties.Add("Device", session.device_id());
  properties.Add("Reference", session.merchant_reference1());
  properties.Add("Reference 2", session.merchant_reference2());
  properties.Add("Merchant data", session.merchant_data());
  properties.Add("Started", FormatTimestamp(session.purchase_started_at()));
  properties.Add("Completed", FormatTimestamp(session.purchase_completed_at()));
  properties.Add("Unreadable", Unreadable(session));
  properties.Add("Request id", request_id);
  properties.Add("Replayed", replayed ? "yes: an earlier call made it" : "");
  return properties.Render() + RenderLines(session);
}

std::string RenderStep(const v1::WatchSessionResponse& step, bool attempt, absl::Time heard_at) {
  const v1::Session& session = step.session();
  std::string text = Column(FormatTimestamp(ToTimestamp(heard_at)), 20);
  absl::StrAppend(&text, Column(StatusText(session), 9));
  absl::StrAppend(&text,
                  Column(FormatMoney(session.order_amount(), session.purchase_currency()), 12));
  if (!session.order_id().empty()) {
    absl::StrAppend(&text, "order ", Printable(session.order_id()));
  }
  if (session.status() == v1::SESSION_STATUS_FAILED) {
    absl::StrAppend(&text, Printable(step.failure_reason()));
  } else if (attempt || !step.failure_reason().empty()) {
    const std::string why = Printable(step.failure_reason());
    absl::StrAppend(&text, "payment failed", why.empty() ? "" : ": ", why);
  }
  return Line(text);
}

std::string RenderEvent(const v1::SessionEvent& event) {
  const v1::Session& session = event.session();
  std::string text = Column(FormatTimestamp(event.occurred_at()), 20);
  absl::StrAppend(
      &text,
      Column(EnumText(v1::SessionEventType_descriptor(), event.type(), event.upstream_type()), 14),
      Column(event.session_id(), 36));
  // A thin event knows the id and the status alone.
  absl::StrAppend(&text,
                  Column(session.purchase_currency().empty()
                             ? ""
                             : FormatMoney(session.order_amount(), session.purchase_currency()),
                         12));
  if (!event.order_id().empty())
    absl::StrAppend(&text, "order ", Printable(event.order_id()), "  ");
  if (!event.failure_reason().empty()) {
    absl::StrAppend(&text, Printable(event.failure_reason()), "  ");
  }
  if (event.source() == v1::SESSION_EVENT_SOURCE_RECONCILIATION) {
    absl::StrAppend(&text, "(found out by reading)");
  }
  return Line(text);
}

std::string RenderDelivery(const std::array<std::string, 5>& columns) {
  constexpr std::array<size_t, 5> kWidths = {20, 21, 36, 3, 0};
  std::string text;
  for (size_t i = 0; i < columns.size(); ++i) {
    absl::StrAppend(&text, Column(columns[i], kWidths[i]));
  }
  return Line(text);
}

}  // namespace ipp::ippctl
