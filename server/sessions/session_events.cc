#include "server/sessions/session_events.h"

#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "server/base/protobuf_time.h"
#include "server/base/stored_message.h"

namespace ipp::sessions {
namespace {

using kustom::ipp::v1::Session;
using kustom::ipp::v1::SessionEvent;
using kustom::ipp::v1::SessionEventType;
using store::SessionRecord;

SessionEvent BaseEvent(const SessionUpdate& update, SessionEventType type) {
  SessionEvent event;
  event.set_type(type);
  event.set_merchant_id(update.merchant_id);
  event.set_session_id(update.session_id);
  event.set_source(update.source);
  return event;
}

// The id of an event that the gateway makes: "gevt_PM1_s1_finalized".
std::string GatewayId(const SessionRecord& record, SessionEventType type) {
  return absl::StrCat("gevt_", record.merchant_id, "_", record.session.session_id(), "_",
                      absl::AsciiStrToLower(absl::StripPrefix(
                          kustom::ipp::v1::SessionEventType_Name(type), "SESSION_EVENT_TYPE_")));
}

}  // namespace

SessionEvent WebhookEvent(const SessionUpdate& update) {
  SessionEvent event = BaseEvent(update, update.type);
  event.set_event_id(update.event_id);
  event.set_upstream_type(update.upstream_type);
  event.set_order_id(update.order_id);
  event.set_failure_reason(update.failure_reason);
  *event.mutable_occurred_at() = ToTimestamp(update.occurred_at);
  return event;
}

SessionEvent RevisionEvent(const SessionUpdate& update, SessionEventType type,
                           SessionRecord& record) {
  SessionEvent event = BaseEvent(update, type);
  event.set_event_id(absl::StrCat(GatewayId(record, type), "_", ++record.revision));
  *event.mutable_occurred_at() = ToTimestamp(update.heard_at);
  return event;
}

SessionEvent ProvenEvent(const SessionUpdate& update, const SessionRecord& record) {
  const Session& session = record.session;
  const SessionEventType type = EventFor(session.status());
  SessionEvent event = BaseEvent(update, type);
  event.set_event_id(GatewayId(record, type));
  const bool paid = type == kustom::ipp::v1::SESSION_EVENT_TYPE_FINALIZED;
  *event.mutable_occurred_at() = paid && session.has_purchase_completed_at()
                                     ? session.purchase_completed_at()
                                     : ToTimestamp(update.heard_at);
  return event;
}

void NameCreate(const SessionRecord& record, SessionEvent* event) {
  event->set_request_id(record.request_id);
  event->set_traceparent(record.trace.traceparent);
  event->set_tracestate(record.trace.tracestate);
}

store::NewEvent Tell(SessionEvent event, const SessionRecord& record) {
  *event.mutable_session() = record.session;
  event.set_order_id(record.session.order_id());
  NameCreate(record, &event);
  return {std::move(event)};
}

store::NewEvent TellHeld(const SessionRecord& known, const SessionRecord& record) {
  store::NewEvent sent = Tell(FromStored<SessionEvent>(known.held_event), record);
  Session& session = *sent.event.mutable_session();
  session.set_status(StatusAfter(sent.event.type()));
  session.clear_status_raw();
  session.clear_order_id();
  session.clear_purchase_completed_at();
  sent.event.clear_order_id();
  return sent;
}

}  // namespace ipp::sessions
