#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/base/clock.h"
#include "server/base/metrics.h"
#include "server/sessions/session_state.h"
#include "server/store/store.h"

namespace ipp::sessions {

// "advanced", "attempt" …: the label of metrics.
absl::string_view UpdateEffectName(UpdateEffect effect);

// What news came to.
struct Recorded {
  UpdateEffect effect = UpdateEffect::kRepeated;
  TraceContext trace;  // of the create that made the session, when it is known
  // As the store has the session now: what the event log says of it. Absent when it has no record.
  std::optional<kustom::ipp::v1::Session> session;
};

// Where news of sessions is written down: runs the state machine inside a transaction of the store
// and counts what came of it. Thread-safe; borrows all that it is given, until every `done` has
// run.
//
// Metrics: ipp_session_news_total{source, effect} and ipp_session_events_total{source, type}, both
// counted when they are durable. ipp_creates_closed_total: see CreateLedger; a session's answer
// closes its create here. ipp_creates_settled_total: creates whose outcome was not known, and whose
// session turned up. ipp_creates_foreign_total: sessions that carry the mark of a create which did
// not make them: another device, amount or currency. ipp_creates_doubled_total: sessions that name
// a create which made another one: a request was sent twice, which must never be.
class SessionRecorder {
 public:
  SessionRecorder(store::Store* store, Clock* clock, Metrics* metrics, CheckTimes times = {});

  // `done` gets OK when the news is durable (or was already), with what it did. Runs on the store's
  // thread. SessionUpdate with an `event_id` is taken once, by merchant and event id. `heard_at` is
  // filled in when it is not set. A whole session with a request_id settles the create of that id,
  // in the same transaction, when it may have been made by it (sessions/create_request.h).
  void Record(SessionUpdate news, absl::AnyInvocable<void(absl::StatusOr<Recorded>) &&> done);

  // Tells the event of a session that is held, if one is, without waiting for more.
  void Release(std::string merchant_id, std::string session_id,
               absl::AnyInvocable<void(absl::Status) &&> done);

  // A read was answered that there is no such session: see sessions::Miss.
  void Miss(std::string merchant_id, std::string session_id,
            absl::AnyInvocable<void(absl::Status) &&> done);

 private:
  using Source = kustom::ipp::v1::SessionEventSource;
  using Type = kustom::ipp::v1::SessionEventType;
  struct Told;

  // What a change of the record alone comes to, written down and counted.
  void Change(std::string merchant_id, std::string session_id,
              std::function<Step(const store::SessionRecord&)> change,
              absl::AnyInvocable<void(absl::Status) &&> done);
  // What a transaction writes for an update; its `decided` is a Told. Pure.
  static store::Writes Decide(const SessionUpdate& heard, const CheckTimes& times,
                              const store::Snapshot& snapshot);
  void Count(Source source, const Told& told);

  store::Store* const store_;
  Clock* const clock_;
  const CheckTimes times_;
  Counter& closed_;
  Counter& settled_;
  Counter& doubled_;
  Counter& foreign_;
  std::map<std::pair<Source, UpdateEffect>, Counter*> news_;
  std::map<std::pair<Source, Type>, Counter*> events_;
};

}  // namespace ipp::sessions
