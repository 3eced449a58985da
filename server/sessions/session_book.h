#pragma once

#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "server/base/clock.h"
#include "server/base/metrics.h"
#include "server/sessions/session_state.h"
#include "server/store/store.h"

namespace ipp::sessions {

// Where news of sessions is written down: runs the state machine inside a transaction of the store
// and counts what came of it. Thread-safe; borrows all that it is given.
class SessionBook {
 public:
  SessionBook(store::Store* store, Clock* clock, Metrics* metrics);

  // `done` gets OK when the news is durable (or was already), with what it did. Runs on the store's
  // thread. News with an `event_id` is taken once, by merchant and event id.
  void Record(News news, absl::AnyInvocable<void(absl::StatusOr<Verdict>) &&> done);

 private:
  store::Store* store_;
  Clock* clock_;
  Metrics* metrics_;
};

}  // namespace ipp::sessions
