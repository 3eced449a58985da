#pragma once

#include <string>

#include "server/sessions/session_state.h"

// SessionUpdate to feed the state machine with.
namespace ipp::sessions::fixtures {

namespace v1 = kustom::ipp::v1;

inline const absl::Time kHeardAt = absl::FromUnixSeconds(1'790'000'000);
inline const absl::Time kOccurredAt = kHeardAt - absl::Seconds(1);

// What the upstream says of the session at that status.
inline v1::Session WholeSession(v1::SessionStatus status) {
  v1::Session session;
  session.set_session_id("s1");
  session.set_status(status);
  if (status == v1::SESSION_STATUS_UNSPECIFIED) session.set_status_raw("PAUSED");
  session.set_device_id("d1");
  session.set_order_amount(1000);
  session.set_merchant_reference1("ref1");
  if (status == v1::SESSION_STATUS_FINALIZED) session.set_order_id("o1");
  return session;
}

inline SessionUpdate Webhook(v1::SessionEventType type) {
  SessionUpdate news;
  news.source = v1::SESSION_EVENT_SOURCE_WEBHOOK;
  news.merchant_id = "PM1";
  news.session_id = "s1";
  news.heard_at = kHeardAt;
  news.event_id = "kevt_1";
  news.type = type;
  news.upstream_type = "ipp.word";
  news.occurred_at = kOccurredAt;
  if (type == v1::SESSION_EVENT_TYPE_FINALIZED) news.order_id = "o1";
  return news;
}

inline SessionUpdate Answer(v1::Session session,
                            v1::SessionEventSource source = v1::SESSION_EVENT_SOURCE_API) {
  SessionUpdate news;
  news.source = source;
  news.merchant_id = "PM1";
  news.session_id = "s1";
  news.heard_at = kHeardAt;
  news.session = std::move(session);
  return news;
}
inline SessionUpdate Answer(v1::SessionStatus status,
                            v1::SessionEventSource source = v1::SESSION_EVENT_SOURCE_API) {
  return Answer(WholeSession(status), source);
}

inline int Rank(v1::SessionStatus status) { return IsFinal(status) ? 3 : static_cast<int>(status); }

}  // namespace ipp::sessions::fixtures
