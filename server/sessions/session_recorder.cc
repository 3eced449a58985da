#include "server/sessions/session_recorder.h"

#include <algorithm>
#include <any>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "server/base/log.h"
#include "server/creates/create_request.h"

namespace ipp::sessions {
namespace {

using kustom::ipp::v1::SessionEventSource;
using kustom::ipp::v1::SessionEventType;

constexpr UpdateEffect kEffects[] = {
    UpdateEffect::kAdvanced, UpdateEffect::kAttempt,   UpdateEffect::kRecorded,
    UpdateEffect::kHeld,     UpdateEffect::kCompleted, UpdateEffect::kRepeated,
    UpdateEffect::kLate,     UpdateEffect::kDisagrees, UpdateEffect::kCorrected};

constexpr char kSourcePrefix[] = "SESSION_EVENT_SOURCE_";
constexpr char kTypePrefix[] = "SESSION_EVENT_TYPE_";

// "SESSION_EVENT_SOURCE_WEBHOOK" → "webhook".
std::string Label(absl::string_view name, absl::string_view prefix) {
  return absl::AsciiStrToLower(absl::StripPrefix(name, prefix));
}

// The create as settled by a whole session that names it; nullopt when nothing changes.
std::optional<store::IntentRecord> Settle(const std::optional<store::IntentRecord>& intent,
                                          const SessionUpdate& update) {
  if (!intent || !update.session || intent->state == store::IntentState::kExecuted) return {};
  store::IntentRecord settled = *intent;
  settled.state = store::IntentState::kExecuted;
  settled.session_id = update.session_id;
  settled.updated_at = update.heard_at;
  kustom::ipp::v1::Session session = *update.session;
  session.set_session_id(update.session_id);
  settled.answer = creates::AnswerOf(std::move(session));
  return settled;
}

}  // namespace

// What was decided about an update. It comes back with the commit.
struct SessionRecorder::Decision {
  UpdateEffect effect = UpdateEffect::kRepeated;
  std::vector<SessionEventType> events = {};
  bool closed = false;   // the update ended a create that was kUnderWay
  bool settled = false;  // the update settled a create that was kUnknown
  std::string first;     // the first of two sessions of one create; this is the second
  bool foreign = false;  // the session carries the mark of a create that did not make it
};

absl::string_view UpdateEffectName(UpdateEffect effect) {
  switch (effect) {
    case UpdateEffect::kAdvanced:
      return "advanced";
    case UpdateEffect::kAttempt:
      return "attempt";
    case UpdateEffect::kRecorded:
      return "recorded";
    case UpdateEffect::kHeld:
      return "held";
    case UpdateEffect::kCompleted:
      return "completed";
    case UpdateEffect::kRepeated:
      return "repeated";
    case UpdateEffect::kLate:
      return "late";
    case UpdateEffect::kDisagrees:
      return "disagrees";
    case UpdateEffect::kCorrected:
      return "corrected";
  }
  return "unknown";
}

SessionRecorder::SessionRecorder(store::Store* store, Metrics* metrics, CheckTimes times)
    : store_(store),
      times_(times),
      closed_(metrics->counter("ipp_creates_closed_total", "Creates by what became of them.",
                               {{"rpc", "CreateSession"}, {"outcome", "executed"}})),
      settled_(metrics->counter("ipp_creates_settled_total",
                                "Creates with an unknown outcome whose session turned up.")),
      doubled_(metrics->counter("ipp_creates_doubled_total",
                                "Sessions that name a create which made another one; must be 0.")),
      foreign_(metrics->counter("ipp_creates_foreign_total",
                                "Sessions that carry the mark of a create which did not make "
                                "them: another device, amount or currency.")) {
  for (int s = 0; s < kustom::ipp::v1::SessionEventSource_ARRAYSIZE; ++s) {
    const auto source = static_cast<SessionEventSource>(s);
    const std::string source_label =
        Label(kustom::ipp::v1::SessionEventSource_Name(source), kSourcePrefix);
    for (const UpdateEffect effect : kEffects) {
      recorded_[{source, effect}] = &metrics->counter(
          "ipp_session_news_total", "Updates of sessions that were recorded, by what they did.",
          {{"source", source_label}, {"verdict", std::string(UpdateEffectName(effect))}});
    }
    for (int t = 0; t < kustom::ipp::v1::SessionEventType_ARRAYSIZE; ++t) {
      const auto type = static_cast<SessionEventType>(t);
      events_[{source, type}] = &metrics->counter(
          "ipp_session_events_total", "Events of sessions appended to the log.",
          {{"source", source_label},
           {"type", Label(kustom::ipp::v1::SessionEventType_Name(type), kTypePrefix)}});
    }
  }
}

store::Writes SessionRecorder::Decide(const SessionUpdate& heard, const CheckTimes& times,
                                      const store::Snapshot& snapshot) {
  Decision decision;
  if (snapshot.already_seen) return {.decided = std::move(decision)};
  std::optional<store::IntentRecord> settled;
  bool other = false;  // the session is not that of the create
  // The update with what the ledger knows; absent if that changes nothing.
  std::optional<SessionUpdate> completed;
  if (snapshot.intent || heard.hold != snapshot.creating) {
    SessionUpdate& update = completed.emplace(heard);
    update.hold = snapshot.creating;
    // The create made another session, so this one is recorded without the request_id.
    if (snapshot.intent && snapshot.intent->session_id != update.session_id) {
      decision.first = snapshot.intent->session_id;
    }
    const bool doubled = !decision.first.empty();
    decision.foreign = snapshot.intent && !doubled && !update.answers_create && update.session &&
                       !creates::MayHaveMade(*snapshot.intent, *update.session);
    other = doubled || decision.foreign;
    if (other) update.request_id.clear();
    if (snapshot.intent && !other) update.trace = snapshot.intent->trace;
    if (!other) settled = Settle(snapshot.intent, update);
    // The create was not known to be executed, so the end of its session was not published before.
    if (settled) update.overheard = false;
  }
  Step step = Advance(snapshot.session, completed ? *completed : heard, times);
  if (step.record && step.record->location_id.empty() && snapshot.intent && !other) {
    step.record->location_id = creates::PlaceOf(*snapshot.intent).location_id;
  }
  decision.effect = step.effect;
  for (const store::NewEvent& event : step.events) decision.events.push_back(event.event.type());
  decision.closed = settled && snapshot.intent->state == store::IntentState::kUnderWay;
  decision.settled = settled && snapshot.intent->state == store::IntentState::kUnknown;
  return {.session = std::move(step.record),
          .events = std::move(step.events),
          .intent = std::move(settled),
          .decided = std::move(decision)};
}

void SessionRecorder::Record(SessionUpdate update,
                             absl::AnyInvocable<void(absl::StatusOr<Recorded>) &&> done) {
  if (update.heard_at == absl::Time()) update.heard_at = store_->Now();
  Record(std::make_shared<const SessionUpdate>(std::move(update)), std::move(done));
}

void SessionRecorder::Record(std::shared_ptr<const SessionUpdate> heard,
                             absl::AnyInvocable<void(absl::StatusOr<Recorded>) &&> done) {
  const SessionUpdate& update = *heard;
  const SessionEventSource source = update.source;
  store::Transaction transaction;
  if (!update.event_id.empty()) {
    transaction.dedup_key = absl::StrCat(update.merchant_id, "/", update.event_id);
  }
  transaction.merchant_id = update.merchant_id;
  transaction.session_id = update.session_id;
  if (update.session) transaction.request_id = update.request_id;
  transaction.ask_creating =
      !update.session && update.type == kustom::ipp::v1::SESSION_EVENT_TYPE_CREATED;
  transaction.decide = [times = times_, heard](const store::Snapshot& snapshot) {
    return Decide(*heard, times, snapshot);
  };
  store_->Commit(std::move(transaction), [this, source, heard, done = std::move(done)](
                                             absl::StatusOr<store::Committed> committed) mutable {
    if (absl::IsAlreadyExists(committed.status()) && !heard->request_id.empty()) {
      // Another session has this request_id, of a create that is no longer in the ledger.
      SessionUpdate alone = *heard;
      alone.request_id.clear();
      return Record(std::move(alone), std::move(done));
    }
    if (!committed.ok()) return std::move(done)(committed.status());
    const auto& decision = std::any_cast<const Decision&>(committed->decided);
    Count(source, decision);
    if (committed->session) {
      for (size_t i = 0; i < std::min(decision.events.size(), committed->positions.size()); ++i) {
        NoteEvent(source, decision.events[i], *committed->session, committed->positions[i]);
      }
    }
    Recorded recorded{.effect = decision.effect, .trace = {}, .session = {}};
    if (committed->session) {
      recorded.trace = std::move(committed->session->trace);
      recorded.session = std::move(committed->session->session);
    }
    if (decision.foreign) {
      LogWarning("a session carries the mark of a create that did not make it",
                 {{"merchant", heard->merchant_id},
                  {"request_id", heard->request_id},
                  {"session", heard->session_id},
                  {"trace_id", std::string(heard->trace.trace_id())}});
    }
    if (!decision.first.empty()) {
      LogError("one create made two sessions",
               {{"merchant", heard->merchant_id},
                {"request_id", heard->request_id},
                {"session", decision.first},
                {"second", heard->session_id},
                {"trace_id", std::string(recorded.trace.trace_id())}});
    }
    std::move(done)(std::move(recorded));
  });
}

void SessionRecorder::NoteCancel(store::AskedCancel cancel) {
  cancel.asked_at = store_->Now();
  store::Transaction transaction;
  transaction.merchant_id = cancel.merchant_id;
  transaction.session_id = cancel.session_id;
  transaction.decide = [cancel = std::move(cancel)](const store::Snapshot& snapshot) {
    store::Writes writes;
    if (snapshot.session) writes.cancel = cancel;
    return writes;
  };
  store_->Commit(std::move(transaction), [](absl::StatusOr<store::Committed>) {});
}

void SessionRecorder::Release(std::string merchant_id, std::string session_id,
                              absl::AnyInvocable<void(absl::Status) &&> done) {
  Change(
      std::move(merchant_id), std::move(session_id),
      [times = times_, now = store_->Now()](const store::SessionRecord& known) {
        return known.held_event.empty() ? Step{} : sessions::Release(known, now, times);
      },
      std::move(done));
}

void SessionRecorder::Miss(std::string merchant_id, std::string session_id,
                           absl::AnyInvocable<void(absl::Status) &&> done) {
  Change(
      std::move(merchant_id), std::move(session_id),
      [times = times_, now = store_->Now()](const store::SessionRecord& known) {
        return sessions::Miss(known, now, times);
      },
      std::move(done));
}

void SessionRecorder::Change(std::string merchant_id, std::string session_id,
                             std::function<Step(const store::SessionRecord&)> change,
                             absl::AnyInvocable<void(absl::Status) &&> done) {
  store::Transaction transaction;
  transaction.merchant_id = std::move(merchant_id);
  transaction.session_id = std::move(session_id);
  using Kind = std::pair<SessionEventSource, SessionEventType>;
  transaction.decide = [change = std::move(change)](const store::Snapshot& snapshot) {
    if (!snapshot.session) return store::Writes{};
    Step step = change(*snapshot.session);
    std::vector<Kind> kinds;
    for (const store::NewEvent& each : step.events) {
      kinds.emplace_back(each.event.source(), each.event.type());
    }
    return store::Writes{.session = std::move(step.record),
                         .events = std::move(step.events),
                         .decided = std::move(kinds)};
  };
  store_->Commit(std::move(transaction), [this, done = std::move(done)](
                                             absl::StatusOr<store::Committed> committed) mutable {
    if (committed.ok() && committed->decided.has_value()) {
      const auto& kinds = std::any_cast<const std::vector<Kind>&>(committed->decided);
      for (size_t i = 0; i < std::min(kinds.size(), committed->positions.size()); ++i) {
        NoteEvent(kinds[i].first, kinds[i].second, *committed->session, committed->positions[i]);
      }
    }
    std::move(done)(committed.status());
  });
}

void SessionRecorder::Count(SessionEventSource source, const Decision& decision) {
  recorded_.at({source, decision.effect})->Add();
  if (decision.closed) closed_.Add();
  if (decision.settled) settled_.Add();
  if (!decision.first.empty()) doubled_.Add();
  if (decision.foreign) foreign_.Add();
}

void SessionRecorder::NoteEvent(SessionEventSource source, SessionEventType type,
                                const store::SessionRecord& session, int64_t position) {
  events_.at({source, type})->Add();
  if (!LogEnabled(LogLevel::kInfo)) return;
  const std::optional<int64_t> left_out = steps_.Take();
  if (!left_out) return;
  LogInfo("session event",
          {{"merchant", session.merchant_id},
           {"request_id", session.request_id},
           {"session", session.session.session_id()},
           {"type", Label(kustom::ipp::v1::SessionEventType_Name(type), kTypePrefix)},
           {"source", Label(kustom::ipp::v1::SessionEventSource_Name(source), kSourcePrefix)},
           {"position", absl::StrCat(position)},
           {"left_out", absl::StrCat(*left_out)},
           {"trace_id", std::string(session.trace.trace_id())}});
}

}  // namespace ipp::sessions
