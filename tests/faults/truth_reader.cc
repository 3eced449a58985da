#include "tests/faults/truth_reader.h"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <exception>
#include <set>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "tests/faults/steps.h"

namespace ipp::faults {
namespace {

namespace json = boost::json;
namespace v1 = kustom::ipp::v1;

std::string Text(const json::value& value) {
  return value.is_string() ? std::string(value.as_string()) : std::string();
}

void AddSessions(const json::value& page, Truth* truth) {
  for (const json::value& entry : page.at("sessions").as_array()) {
    TrueSession& session = truth->sessions[Text(entry.at("session_id"))];
    session.merchant_id = Text(entry.at("merchant_id"));
    session.status = StatusOf(Text(entry.at("status")));
    session.order_id = Text(entry.at("order_id"));
    session.reference = Text(entry.at("merchant_reference1"));
    for (const json::value& step : entry.at("history").as_array()) {
      session.activated = session.activated || Text(step.at("status")) == "ACTIVE";
    }
  }
}

void AddWebhook(const json::value& entry, Truth* truth) {
  SentWebhook webhook;
  webhook.event_id = Text(entry.at("event_id"));
  webhook.session_id = Text(entry.at("session_id"));
  webhook.type = TypeOf(Text(entry.at("type")));
  const auto session = truth->sessions.find(webhook.session_id);
  if (session == truth->sessions.end()) return;
  const json::array& deliveries = entry.at("deliveries").as_array();
  for (const json::value& delivery : deliveries) {
    webhook.taken = webhook.taken || Text(delivery.at("state")) == "delivered";
  }
  webhook.in_order = deliveries.size() == 1 && deliveries.front().at("fault").is_null();
  if (webhook.type == v1::SESSION_EVENT_TYPE_PAYMENT_FAILED) ++session->second.declines;
  truth->webhooks.push_back(std::move(webhook));
}

template <typename Value>
absl::StatusOr<Value> Reading(const char* what, absl::FunctionRef<Value()> read) {
  try {
    return read();
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat("the simulator's ", what, ": ", error.what()));
  }
}

}  // namespace

absl::StatusOr<Truth> ReadTruthOf(const std::string& sessions, const std::string& webhooks) {
  return Reading<Truth>("truth", [&] {
    Truth truth;
    AddSessions(json::parse(sessions), &truth);
    const json::value page = json::parse(webhooks);
    for (const json::value& entry : page.at("events").as_array()) AddWebhook(entry, &truth);
    return truth;
  });
}

absl::StatusOr<std::map<std::string, int>> ReadStrikes(const std::string& webhooks) {
  return Reading<std::map<std::string, int>>("webhooks", [&] {
    std::map<std::string, int> strikes;
    const json::value page = json::parse(webhooks);
    for (const json::value& entry : page.at("events").as_array()) {
      // A doubled event has the fault on both of its deliveries.
      std::set<std::string> struck;
      for (const json::value& delivery : entry.at("deliveries").as_array()) {
        struck.insert(Text(delivery.at("fault")));
      }
      for (const std::string& fault : struck) ++strikes[fault];
    }
    return strikes;
  });
}

absl::StatusOr<int> ReadUndelivered(const std::string& state) {
  return Reading<int>("state", [&] {
    return static_cast<int>(json::parse(state).at("webhooks").at("undelivered").as_int64());
  });
}

}  // namespace ipp::faults
