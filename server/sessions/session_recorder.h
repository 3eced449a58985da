#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/base/log_rate_limiter.h"
#include "server/base/metrics.h"
#include "server/sessions/session_state.h"
#include "server/store/store.h"

namespace ipp::sessions {

// The label of metrics: "advanced", "attempt" …
absl::string_view UpdateEffectName(UpdateEffect effect);

// The result of recording an update.
struct Recorded {
  UpdateEffect effect = UpdateEffect::kRepeated;
  TraceContext trace;  // of the create that made the session, if known
  // The session as the store has it now, which is what the event log says. Absent when there is no
  // record.
  std::optional<kustom::ipp::v1::Session> session;
};

// Records updates of sessions: runs the state machine inside a transaction of the store, counts the
// effects, and logs each event that is appended (rate-limited). Thread-safe; borrows everything
// that it is given, until every `done` has run.
//
// Metrics, counted when the update is durable: ipp_session_news_total{source, verdict} (the verdict
// is the UpdateEffect) and ipp_session_events_total{source, type}. ipp_creates_closed_total: see
// CreateLedger; the session that answers a create closes it here. ipp_creates_settled_total:
// creates with an unknown outcome whose session was discovered. ipp_creates_foreign_total: sessions
// that carry the mark of a create that did not make them (another device, amount or currency).
// ipp_creates_doubled_total: sessions that name a create which made another session; then a request
// was sent twice, which must never happen.
class SessionRecorder {
 public:
  SessionRecorder(store::Store* store, Metrics* metrics, CheckTimes times = {});

  // `done` gets OK, with the effect, when the update is durable (or was before); it runs on the
  // store's thread. An update with an `event_id` is recorded once per merchant and event id.
  // `heard_at` is set to now if it is unset. A whole session with a request_id also settles the
  // create of that id, in the same transaction, if that create may have made it
  // (creates/create_request.h).
  void Record(SessionUpdate update, absl::AnyInvocable<void(absl::StatusOr<Recorded>) &&> done);
  // The same for an update that the caller keeps, to record it again if that fails. `heard_at` is
  // set.
  void Record(std::shared_ptr<const SessionUpdate> heard,
              absl::AnyInvocable<void(absl::StatusOr<Recorded>) &&> done);

  // Writes down that `caller` asked for a cancel, for GetSessionHistory, if there is a record of
  // the session. The cancel does not wait for it; if it fails, the audit line is all that is left.
  void NoteCancel(store::AskedCancel cancel);

  // Publishes the held event of a session, if there is one, without waiting for more.
  void Release(std::string merchant_id, std::string session_id,
               absl::AnyInvocable<void(absl::Status) &&> done);

  // Records that a read was answered with "not found"; see sessions::Miss.
  void Miss(std::string merchant_id, std::string session_id,
            absl::AnyInvocable<void(absl::Status) &&> done);

 private:
  using Source = kustom::ipp::v1::SessionEventSource;
  using Type = kustom::ipp::v1::SessionEventType;
  struct Decision;

  // Applies `change` to the record, stores the result and counts its events. No-op without a
  // record.
  void Change(std::string merchant_id, std::string session_id,
              std::function<Step(const store::SessionRecord&)> change,
              absl::AnyInvocable<void(absl::Status) &&> done);
  // What the transaction of an update writes; its `decided` is a Decision. Pure.
  static store::Writes Decide(const SessionUpdate& heard, const CheckTimes& times,
                              const store::Snapshot& snapshot);
  void Count(Source source, const Decision& decision);
  // Counts an event that was appended and logs it. `position`: in the log.
  void NoteEvent(Source source, Type type, const store::SessionRecord& session, int64_t position);

  store::Store* const store_;
  const CheckTimes times_;
  Counter& closed_;
  Counter& settled_;
  Counter& doubled_;
  Counter& foreign_;
  // Far above what one gateway's payments need; it keeps a flood of webhooks from filling the disk.
  LogRateLimiter steps_{100, 500};
  std::map<std::pair<Source, UpdateEffect>, Counter*> recorded_;
  std::map<std::pair<Source, Type>, Counter*> events_;
};

}  // namespace ipp::sessions
