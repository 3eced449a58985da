#include "simulator/render.h"

namespace ipp::simulator {
namespace {

void StringOrNull(JsonWriter& json, std::string_view key, const std::string& value) {
  json.Key(key);
  value.empty() ? json.Null() : json.String(value);
}

void StringOrNull(JsonWriter& json, std::string_view key, const std::optional<std::string>& value) {
  json.Key(key);
  value ? json.String(*value) : json.Null();
}

std::string_view Name(EnrollmentStatus status) {
  switch (status) {
    case EnrollmentStatus::kPending:
      return "PENDING";
    case EnrollmentStatus::kConsumed:
      return "CONSUMED";
    case EnrollmentStatus::kExpired:
      return "EXPIRED";
    case EnrollmentStatus::kCancelled:
      return "CANCELLED";
  }
  return {};
}

void Render(const OrderItem& item, JsonWriter& json) {
  json.BeginObject();
  if (!item.type.empty()) json.Key("type").String(item.type);
  if (!item.reference.empty()) json.Key("reference").String(item.reference);
  json.Key("name").String(item.name);
  json.Key("quantity").Integer(item.quantity);
  json.Key("unit_price").Integer(item.unit_price);
  json.Key("total_amount").Integer(item.total_amount);
  json.Key("tax_rate").Integer(item.tax_rate);
  json.Key("total_discount_amount").Integer(item.total_discount_amount);
  json.Key("total_tax_amount").Integer(item.total_tax_amount);
  json.EndObject();
}

}  // namespace

void Render(const Location& location, JsonWriter& json) {
  json.BeginObject();
  json.Key("id").String(location.id);
  json.Key("merchant_id").String(location.merchant_id);
  json.Key("name").String(location.name);
  json.Key("street_address").String(location.street_address);
  if (!location.street_address2.empty()) {
    json.Key("street_address2").String(location.street_address2);
  }
  json.Key("postal_code").String(location.postal_code);
  json.Key("city").String(location.city);
  json.Key("country").String(location.country);
  json.Key("created_at").String(FormatSeconds(location.created_at));
  json.Key("updated_at").String(FormatSeconds(location.updated_at));
  json.EndObject();
}

void Render(const Enrollment& enrollment, Time now, JsonWriter& json) {
  json.BeginObject();
  json.Key("enrollment_id").String(enrollment.id);
  json.Key("enrollment_code").String(enrollment.code);
  json.Key("expires_at").String(FormatSeconds(enrollment.expires_at));
  json.Key("status").String(Name(enrollment.StatusAt(now)));
  json.Key("metadata").StringMap(enrollment.metadata);
  json.EndObject();
}

void Render(const Device& device, JsonWriter& json, std::string_view bearer_token) {
  json.BeginObject();
  json.Key("id").String(device.id);
  json.Key("hardware_id").String(device.hardware_id);
  json.Key("merchant_id").String(device.merchant_id);
  StringOrNull(json, "location_id", device.location_id);
  json.Key("name").String(device.name);
  json.Key("platform").String(device.platform);
  json.Key("metadata").StringMap(device.metadata);
  json.Key("created_at").String(FormatSeconds(device.created_at));
  json.Key("open_cash_register_id").Null();
  if (!bearer_token.empty()) {
    json.Key("credentials").BeginObject();
    json.Key("bearer_token").String(bearer_token);
    json.Key("issuedAt").String(FormatSeconds(device.created_at));
    json.EndObject();
  }
  json.Key("unique_id").String(device.hardware_id);
  json.EndObject();
}

std::string RenderSession(const Session& session) {
  JsonWriter json;
  json.BeginObject();
  json.Key("session_id").String(session.id);
  json.Key("status").String(Name(session.status));
  json.Key("device_id").String(session.device_id);
  StringOrNull(json, "order_id", session.order_id);
  json.Key("order_amount").Integer(session.order_amount);
  if (session.order_tax_amount) json.Key("order_tax_amount").Integer(*session.order_tax_amount);
  json.Key("purchase_currency").String(session.purchase_currency);
  StringOrNull(json, "purchase_started_at", session.purchase_started_at);
  StringOrNull(json, "purchase_completed_at", session.purchase_completed_at);
  json.Key("order_items").BeginArray();
  for (const OrderItem& item : session.order_items) Render(item, json);
  json.EndArray();
  StringOrNull(json, "merchant_reference1", session.merchant_reference1);
  StringOrNull(json, "merchant_reference2", session.merchant_reference2);
  StringOrNull(json, "merchant_data", session.merchant_data);
  json.EndObject();
  return json.Take();
}

std::string RenderEvent(const WebhookEvent& event, const Session& session,
                        std::string_view failure_reason) {
  JsonWriter json;
  json.BeginObject();
  json.Key("id").String(event.id);
  json.Key("merchant_id").String(event.merchant_id);
  json.Key("timestamp").String(event.timestamp);
  json.Key("type").String(event.type);
  json.Key("data").BeginObject();
  json.Key("session_id").String(event.session_id);
  StringOrNull(json, "order_id", session.order_id);
  StringOrNull(json, "failure_reason", std::string(failure_reason));
  json.EndObject();
  json.EndObject();
  return json.Take();
}

}  // namespace ipp::simulator
