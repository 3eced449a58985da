#include "server/webhook/receiver.h"

#include <iterator>
#include <set>
#include <utility>
#include <variant>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "server/base/log.h"
#include "server/base/status_macros.h"
#include "server/webhook/event_reader.h"
#include "server/webhook/signature.h"

namespace ipp::webhook {
namespace {

// The most bytes of an id or a type that a log line shows: nothing else bounds them.
constexpr size_t kMostLogged = 200;

enum Result {
  kAccepted,
  kDuplicate,
  kIgnored,
  kBadSignature,
  kMalformed,
  kWrongMerchant,
  kStoreFailed,
};

struct ResultRow {
  const char* label;
  int http_code;
};

constexpr ResultRow kTable[] = {
    {"accepted", 200},  {"duplicate", 200},      {"ignored", 200},      {"bad_signature", 401},
    {"malformed", 400}, {"wrong_merchant", 403}, {"store_failed", 503},
};

Answer Say(Result result, std::string text) {
  return {.http_code = kTable[result].http_code, .text = std::move(text)};
}

// The merchants that have a key which signed the delivery.
absl::StatusOr<std::set<std::string>> Signers(const Delivery& delivery,
                                              const std::vector<SigningKey>& keys, absl::Time now,
                                              absl::Duration tolerance) {
  std::vector<const MacKey*> each;
  each.reserve(keys.size());
  for (const SigningKey& key : keys) each.push_back(&key.key);
  IPP_ASSIGN_OR_RETURN(const std::vector<size_t> found,
                       FindSigners({delivery.id, delivery.timestamp, delivery.signature},
                                   delivery.body, each, now, tolerance));
  std::set<std::string> signers;
  for (const size_t i : found) signers.insert(keys[i].merchant_id);
  return signers;
}

}  // namespace

Receiver::Receiver(std::function<SigningKeys()> keys, absl::Duration tolerance,
                   sessions::SessionRecorder* recorder, FindOwner find_owner, Clock* clock,
                   Metrics* metrics, Tracer* tracer)
    : keys_(std::move(keys)),
      tolerance_(tolerance),
      recorder_(recorder),
      find_owner_(std::move(find_owner)),
      clock_(clock),
      tracer_(tracer),
      unreadable_fields_(metrics, "ipp_upstream_unreadable_fields_total",
                         "Values of the upstream that could not be read and were left out.",
                         LogLevel::kWarning, "a webhook has a field that cannot be read") {
  static_assert(std::size(kTable) == kResults);
  for (size_t i = 0; i < kResults; ++i) {
    counters_[i] = &metrics->counter("ipp_webhooks_total", "Webhooks by what became of them.",
                                     {{"result", kTable[i].label}});
  }
}

void Receiver::Take(Delivery delivery, absl::AnyInvocable<void(Answer) &&> done) {
  const absl::Time now = clock_->Now();
  const absl::Duration arrived = tracer_ == nullptr ? absl::ZeroDuration() : clock_->Monotonic();
  const auto answer = [this, &done](Result result, std::string text) {
    counters_[result]->Add();
    std::move(done)(Say(result, std::move(text)));
  };

  const SigningKeys keys = keys_();
  auto signers = Signers(delivery, *keys, now, tolerance_);
  // The timestamp is also accepted by the machine's own clock: after a jump of the wall clock it
  // may be the one that is right.
  if (const absl::Time wall = clock_->Wall(); !signers.ok() && wall != now) {
    if (auto by_wall = Signers(delivery, *keys, wall, tolerance_); by_wall.ok()) signers = by_wall;
  }
  if (!signers.ok()) {
    const std::string why(signers.status().message());
    if (const auto left_out = refusals_.Take()) {
      LogWarning("webhook refused", {{"reason", why}, {"left_out", absl::StrCat(*left_out)}});
    }
    return answer(kBadSignature, why);
  }

  auto read = ReadEvent(delivery.body, delivery.id, *signers, now, [this](absl::string_view path) {
    unreadable_fields_.Count(absl::StrCat("webhook.", path), "");
  });
  if (const auto* ignored = std::get_if<Ignored>(&read)) {
    LogTaken("", "", delivery.id, ignored->type, "ignored", {});
    return answer(kIgnored, "ignored");
  }
  if (const auto* malformed = std::get_if<Malformed>(&read)) {
    if (const auto left_out = refusals_.Take()) {
      LogWarning("webhook is not an event", {{"webhook_id", delivery.id.substr(0, kMostLogged)},
                                             {"reason", malformed->why},
                                             {"left_out", absl::StrCat(*left_out)}});
    }
    return answer(kMalformed, malformed->why);
  }
  if (std::holds_alternative<WrongMerchant>(read)) {
    if (const auto left_out = refusals_.Take()) {
      LogWarning("webhook is signed with the key of another merchant",
                 {{"webhook_id", delivery.id.substr(0, kMostLogged)},
                  {"left_out", absl::StrCat(*left_out)}});
    }
    return answer(kWrongMerchant, "signed with the key of another merchant");
  }

  sessions::SessionUpdate& update = std::get<sessions::SessionUpdate>(read);
  if (!update.merchant_id.empty()) return Record(std::move(update), arrived, std::move(done));
  FindMerchant(std::move(update), {signers->begin(), signers->end()}, arrived, std::move(done));
}

void Receiver::FindMerchant(sessions::SessionUpdate update, std::vector<std::string> signers,
                            absl::Duration arrived, Done done) {
  std::string session_id = update.session_id;
  find_owner_(
      std::move(signers), std::move(session_id),
      [this, arrived, update = std::move(update),
       done = std::move(done)](absl::StatusOr<std::string> owner) mutable {
        if (owner.ok()) {
          update.merchant_id = *std::move(owner);
          return Record(std::move(update), arrived, std::move(done));
        }
        const bool none = absl::IsNotFound(owner.status());
        LogWarning("webhook names no merchant, and several have its key",
                   {{"event_id", update.event_id},
                    {"session", update.session_id},
                    {"error", std::string(owner.status().message())}});
        const Result result = none ? kMalformed : kStoreFailed;
        counters_[result]->Add();
        std::move(done)(
            Say(result, none ? "merchant_id is missing, and no merchant that has the key has "
                               "the session"
                             : "whose session it is cannot be found out now, deliver it again"));
      });
}

void Receiver::Record(sessions::SessionUpdate update, absl::Duration arrived, Done done) {
  const std::string merchant_id = update.merchant_id;
  const std::string session_id = update.session_id;
  const std::string event_id = update.event_id;
  const std::string type = update.upstream_type;
  recorder_->Record(std::move(update), [this, merchant_id, session_id, event_id, type, arrived,
                                        done = std::move(done)](
                                           absl::StatusOr<sessions::Recorded> recorded) mutable {
    Result result = kAccepted;
    std::string text = "accepted";
    if (absl::IsInvalidArgument(recorded.status())) {
      // It exceeds a limit of the store, so every further delivery would fail too.
      result = kMalformed;
      text = std::string(recorded.status().message());
      LogWarning("webhook cannot be kept", {{"type", type.substr(0, 100)}, {"reason", text}});
    } else if (!recorded.ok()) {
      LogError("webhook could not be stored",
               {{"event_id", event_id},
                {"type", type},
                {"error", std::string(recorded.status().message())}});
      result = kStoreFailed;
      text = "not stored, deliver it again";
    } else {
      if (recorded->effect == sessions::UpdateEffect::kRepeated) {
        result = kDuplicate;
        text = "known already";
      }
      LogTaken(merchant_id, session_id, event_id, type,
               sessions::UpdateEffectName(recorded->effect), recorded->trace);
      Trace(*recorded, kTable[result].label, kTable[result].http_code, arrived);
    }
    counters_[result]->Add();
    std::move(done)(Say(result, std::move(text)));
  });
}

void Receiver::Trace(const sessions::Recorded& recorded, absl::string_view result, int http_code,
                     absl::Duration arrived) {
  if (tracer_ == nullptr) return;
  const auto span = StartSpan(tracer_, {.name = "webhook",
                                        .kind = SpanKind::kServer,
                                        .parent = recorded.trace,
                                        .ago = clock_->Monotonic() - arrived,
                                        .linked = true});
  if (span == nullptr) return;
  span->Set("http.request.method", "POST");
  span->Set("http.response.status_code", int64_t{http_code});
  span->Set("ipp.webhook.result", result);
  span->Set("ipp.session.effect", sessions::UpdateEffectName(recorded.effect));
}

void Receiver::LogTaken(const std::string& merchant_id, const std::string& session_id,
                        const std::string& event_id, const std::string& type,
                        absl::string_view verdict, const TraceContext& trace) {
  if (!LogEnabled(LogLevel::kInfo)) return;
  const std::optional<int64_t> left_out = taken_.Take();
  if (!left_out) return;
  LogInfo("webhook taken", {{"merchant", merchant_id},
                            {"session", session_id},
                            {"event_id", event_id.substr(0, kMostLogged)},
                            {"type", type.substr(0, kMostLogged)},
                            {"verdict", std::string(verdict)},
                            {"left_out", absl::StrCat(*left_out)},
                            {"trace_id", std::string(trace.trace_id())}});
}

}  // namespace ipp::webhook
