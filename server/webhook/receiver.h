#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/base/field_counter.h"
#include "server/base/log_rate_limiter.h"
#include "server/base/metrics.h"
#include "server/base/tracer.h"
#include "server/sessions/session_recorder.h"
#include "server/webhook/mac_key.h"

namespace ipp::webhook {

// A delivery as the listener read it: the signature headers as they were sent, and the raw bytes of
// the body.
struct Delivery {
  std::string id;
  std::string timestamp;
  std::string signature;
  std::string body;
};

struct Answer {
  int http_code = 200;
  std::string text;  // one line, shown with the delivery in the Portal; no secret
};

// A key that may sign a merchant's webhooks.
struct SigningKey {
  std::string merchant_id;
  MacKey key;  // of the decoded secret
};
using SigningKeys = std::shared_ptr<const std::vector<SigningKey>>;

// Finds the one of `merchants` to which a session belongs; see sessions::SessionOwner.
using FindOwner =
    std::function<void(std::vector<std::string> merchants, std::string session_id,
                       absl::AnyInvocable<void(absl::StatusOr<std::string>) &&> done)>;

// Receives webhooks. Answers:
//
// * 200 only when the event is durable, or was recorded before;
// * 401 for a bad signature or timestamp;
// * 400 for a body that is not an event, or that exceeds a limit of the store;
// * 403 for a key of another merchant than the one in the event;
// * 503 when the store fails, so that the upstream delivers again.
//
// An event that names no merchant, signed with a key that several merchants share, belongs to the
// merchant that has the session; 400 if none has it, 503 if that cannot be found out now. Types
// `ipp.session.*` and `ipp.payment.*` (also without "ipp.") that are unknown to this release are
// recorded as UNSPECIFIED events, and are malformed without a session id. All other types (orders,
// captures, refunds of the same account) are acknowledged and counted, but not recorded, even if
// they name a session. Thread-safe. Never blocks. Borrows everything that it is given, until every
// `done` has run.
//
// Each webhook that is answered 200 has a line in the log at level info; each that is refused has
// one at level warning. Both are rate-limited.
//
// A webhook of a session whose trace is recorded has a span in it, from its arrival to its answer.
// The trace is known when the event is recorded, so a webhook that is refused has none.
//
// Metrics: ipp_upstream_unreadable_fields_total{field = webhook.…} and ipp_webhooks_total{result =
// accepted, duplicate, ignored, bad_signature, malformed, wrong_merchant, store_failed}.
class Receiver {
 public:
  // `keys` is called for each delivery, since secrets are read again when their file changes.
  Receiver(std::function<SigningKeys()> keys, absl::Duration tolerance,
           sessions::SessionRecorder* recorder, FindOwner find_owner, Clock* clock,
           Metrics* metrics, Tracer* tracer = nullptr);

  // `done` runs once, on the calling thread or on a thread of the store or of `find_owner`.
  void Take(Delivery delivery, absl::AnyInvocable<void(Answer) &&> done);

 private:
  static constexpr size_t kResults = 7;
  using Done = absl::AnyInvocable<void(Answer) &&>;

  // `arrived`: Clock::Monotonic(); only of use with a tracer.
  void FindMerchant(sessions::SessionUpdate update, std::vector<std::string> signers,
                    absl::Duration arrived, Done done);
  void Record(sessions::SessionUpdate update, absl::Duration arrived, Done done);
  // Records the span of a webhook that is about to be answered.
  void Trace(const sessions::Recorded& recorded, absl::string_view result, int http_code,
             absl::Duration arrived);

  const std::function<SigningKeys()> keys_;
  const absl::Duration tolerance_;
  sessions::SessionRecorder* const recorder_;
  const FindOwner find_owner_;
  Clock* const clock_;
  Tracer* const tracer_;
  // Logs a webhook that was answered 200. Rate-limited.
  void LogTaken(const std::string& merchant_id, const std::string& session_id,
                const std::string& event_id, const std::string& type, absl::string_view verdict,
                const TraceContext& trace);

  LogRateLimiter refusals_{10, 20};
  // Far above what one gateway's payments need; it keeps a flood from filling the disk.
  LogRateLimiter taken_{100, 500};
  FieldCounter unreadable_fields_;
  std::array<Counter*, kResults> counters_;  // by result, as in the table in receiver.cc
};

}  // namespace ipp::webhook
