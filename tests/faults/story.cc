#include "tests/faults/story.h"

#include <memory>

#include "tests/faults/steps.h"

namespace ipp::faults {

namespace v1 = kustom::ipp::v1;

v1::SessionEvent Event(const std::string& id, const std::string& session, v1::SessionEventType type,
                       v1::SessionEventSource source) {
  v1::SessionEvent event;
  event.set_event_id(id);
  event.set_type(type);
  event.set_source(source);
  event.set_merchant_id(session == "late" ? kOtherShop : kShop);
  event.set_session_id(session);
  event.set_cursor("after " + id);
  event.mutable_session()->set_session_id(session);
  event.mutable_session()->set_status(StatusAfter(type));
  if (type == v1::SESSION_EVENT_TYPE_PAYMENT_FAILED) {
    event.mutable_session()->set_status(v1::SESSION_STATUS_ACTIVE);
  }
  return event;
}

v1::SessionEvent Webhook(const std::string& id, const std::string& session,
                         v1::SessionEventType type) {
  return Event(id, session, type, v1::SESSION_EVENT_SOURCE_WEBHOOK);
}

Story GoodStory() {
  Story story;
  const auto session = [&](const std::string& id, const std::string& merchant,
                           v1::SessionStatus status) -> TrueSession& {
    TrueSession& made = story.truth.sessions[id];
    made.merchant_id = merchant;
    made.status = status;
    made.reference = "order of " + id;
    return made;
  };
  TrueSession& paid = session("paid", kShop, v1::SESSION_STATUS_FINALIZED);
  paid.order_id = "order-1";
  paid.activated = true;
  paid.declines = 1;
  session("late", kOtherShop, v1::SESSION_STATUS_EXPIRED);
  session("cut", kShop, v1::SESSION_STATUS_CANCELLED);
  session("open", kShop, v1::SESSION_STATUS_CREATED);
  const auto sent = [&](const char* id, const char* of, v1::SessionEventType type, bool taken) {
    story.truth.webhooks.push_back(
        {.event_id = id, .session_id = of, .type = type, .taken = taken, .in_order = true});
  };
  sent("k1", "paid", v1::SESSION_EVENT_TYPE_CREATED, true);  // after the create's answer
  sent("k2", "late", v1::SESSION_EVENT_TYPE_CREATED, true);
  sent("k3", "paid", v1::SESSION_EVENT_TYPE_ACTIVATED, true);
  sent("k4", "cut", v1::SESSION_EVENT_TYPE_CREATED, false);
  sent("k5", "paid", v1::SESSION_EVENT_TYPE_PAYMENT_FAILED, true);
  sent("k6", "paid", v1::SESSION_EVENT_TYPE_FINALIZED, true);
  sent("k7", "cut", v1::SESSION_EVENT_TYPE_CANCELLED, false);
  sent("k8", "open", v1::SESSION_EVENT_TYPE_CREATED, true);
  story.ledger.creates = {{.reference = "order of paid",
                           .request_id = "request-1",
                           .session_id = "paid",
                           .denied = false,
                           .error = ""},
                          {.reference = "order of cut",
                           .request_id = "request-2",
                           .session_id = "",
                           .denied = false,
                           .error = "UNAVAILABLE"}};
  story.ledger.acknowledged = {"paid"};

  story.log.push_back(
      Event("g1", "paid", v1::SESSION_EVENT_TYPE_CREATED, v1::SESSION_EVENT_SOURCE_API));
  story.log.push_back(Webhook("k2", "late", v1::SESSION_EVENT_TYPE_CREATED));
  story.log.push_back(Webhook("k3", "paid", v1::SESSION_EVENT_TYPE_ACTIVATED));
  story.log.push_back(Webhook("k5", "paid", v1::SESSION_EVENT_TYPE_PAYMENT_FAILED));
  v1::SessionEvent end = Webhook("k6", "paid", v1::SESSION_EVENT_TYPE_FINALIZED);
  end.set_order_id("order-1");
  end.set_request_id("request-1");
  end.mutable_session()->set_device_id("phone");
  end.mutable_session()->set_merchant_reference1("order of paid");
  story.log.push_back(end);
  story.log.push_back(
      Event("g2", "late", v1::SESSION_EVENT_TYPE_EXPIRED, v1::SESSION_EVENT_SOURCE_RECONCILIATION));
  story.log.push_back(Webhook("k8", "open", v1::SESSION_EVENT_TYPE_CREATED));
  story.Spread();

  story.watch.session_id = "paid";
  const auto step = [](v1::SessionStatus status, const char* failure = "") {
    v1::WatchSessionResponse response;
    response.mutable_session()->set_session_id("paid");
    response.mutable_session()->set_status(status);
    response.set_failure_reason(failure);
    return response;
  };
  story.watch.calls = {
      {.steps = {step(v1::SESSION_STATUS_CREATED)}, .ended_ok = false},
      {.steps = {step(v1::SESSION_STATUS_ACTIVE), step(v1::SESSION_STATUS_ACTIVE, "lost_card"),
                 step(v1::SESSION_STATUS_FINALIZED)},
       .ended_ok = true}};
  return story;
}

History Tell(const Story& story) {
  const auto seen = [](const std::string& name, const std::vector<v1::SessionEvent>& events) {
    Observation observation{.name = name, .filter = {}, .events = {}, .complaints = {}};
    for (const auto& event : events) {
      observation.events.push_back(std::make_shared<const SeenEvent>(event));
    }
    return observation;
  };
  History history{
      .truth = story.truth,
      .ledger = story.ledger,
      .observers = {seen("all", story.log), seen("other", story.other), seen("shop", story.shop)},
      .watches = {story.watch}};
  history.observers[2].filter.add_merchant_ids(kShop);
  return history;
}

}  // namespace ipp::faults
