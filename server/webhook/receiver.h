#pragma once

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/base/field_counter.h"
#include "server/base/log_allowance.h"
#include "server/base/metrics.h"
#include "server/sessions/session_book.h"

namespace ipp::webhook {

// A delivery, as the listener read it. The signature headers as sent, the body's raw bytes.
struct Delivery {
  std::string id;
  std::string timestamp;
  std::string signature;
  std::string body;
};

struct Answer {
  int http_code = 200;
  std::string text;  // one line for whoever looks at the delivery in the Portal; no secret
};

// A key with which a merchant's webhooks may be signed.
struct SigningKey {
  std::string merchant_id;
  std::string key;  // decoded
};

// Finds which of the merchants a session belongs to, as sessions::SessionOwner does.
using FindOwner =
    std::function<void(std::vector<std::string> merchants, std::string session_id,
                       absl::AnyInvocable<void(absl::StatusOr<std::string>) &&> done)>;

// Takes webhooks in. 200 only when the event is durable (or was before); 401 bad signature or
// timestamp; 400 not an event, or one that no store keeps; 403 signed with the key of another
// merchant than the one in the event; 503 when the store fails, so that the upstream delivers
// again. An event without a merchant whose key several merchants have is that of the merchant that
// has the session; 400 when none has it, 503 when that cannot be found out now. Of `ipp.session.*`
// and `ipp.payment.*` (also without "ipp.") those that we do not know are kept and passed on as
// UNSPECIFIED events, and those without a session id are no events. All other types (orders,
// captures, refunds of the same account) are acknowledged and counted, not kept, also when they
// name a session. Thread-safe. Never blocks. Borrows all that it is given, until every `done` has
// run.
//
// Metrics: ipp_upstream_unreadable_fields_total{field = webhook.…} and
// ipp_webhooks_total{result = accepted, duplicate, ignored, bad_signature, malformed,
// wrong_merchant, store_failed}.
class Receiver {
 public:
  // `keys` is asked for each delivery, since secrets are re-read when their file changes.
  Receiver(std::function<std::vector<SigningKey>()> keys, absl::Duration tolerance,
           sessions::SessionBook* book, FindOwner find_owner, Clock* clock, Metrics* metrics);

  // `done` runs once, here or on a thread of the store or of `find_owner`.
  void Take(Delivery delivery, absl::AnyInvocable<void(Answer) &&> done);

 private:
  static constexpr size_t kResults = 7;
  using Done = absl::AnyInvocable<void(Answer) &&>;

  void FindMerchant(sessions::News news, std::vector<std::string> signers, Done done);
  void Record(sessions::News news, Done done);

  const std::function<std::vector<SigningKey>()> keys_;
  const absl::Duration tolerance_;
  sessions::SessionBook* const book_;
  const FindOwner find_owner_;
  Clock* const clock_;
  LogAllowance refusals_{10, 20};
  FieldCounter unreadable_fields_;
  std::array<Counter*, kResults> counters_;  // by result, as in the table in receiver.cc
};

}  // namespace ipp::webhook
