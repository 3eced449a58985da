#pragma once

#include <grpcpp/support/status.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "client/retry.h"
#include "kustom/ipp/v1/shared_subscription.pb.h"

namespace ipp::client {

// An event that this program holds. All but the constants is the LeaseBook's. Shared by the book,
// while the lease is held, and the one who handles the event.
struct Lease {
  enum class State {
    kWaiting,  // no handler has begun
    kBegun,
    kDone,  // settled, or given back: the answer may be to come
  };
  const kustom::ipp::v1::LeasedSessionEvent leased;
  const absl::Duration length;
  State state = State::kWaiting;
  bool lost = false;
  absl::Duration held_until = {};  // by the monotonic clock, never by the wall clock
  absl::Duration extend_at = {};   // infinite while an extension is on its way
  bool settling = false;           // a call with its settlement is under way
  uint64_t extension = 0;          // number of the last extension that was answered
};

// Decides what is settled, extended and lost, and when. Knows no threads and no calls: times come
// from outside, and the caller makes the calls. Not thread-safe.
class LeaseBook {
 public:
  // A settlement that waits for its answer.
  struct Wish {
    std::shared_ptr<Lease> lease;
    kustom::ipp::v1::Settlement settlement;
    uint64_t number;
  };
  using Batch = std::vector<Wish>;  // of one call
  static constexpr size_t kLongestBatch = 256;

  LeaseBook(absl::Duration first_pause, absl::Duration longest_pause)
      : backoff_(first_pause, longest_pause) {}

  // From now on the lease is extended, until it is settled or lost.
  std::shared_ptr<Lease> Hold(const kustom::ipp::v1::LeasedSessionEvent& leased,
                              absl::Duration length, absl::Duration now);
  // Whether a handler may begin: the event is still held, and was not given back.
  bool Begin(Lease* lease);
  // Says what became of the event. A settlement of a lost lease is dropped.
  void Settle(const std::shared_ptr<Lease>& lease, kustom::ipp::v1::Settlement settlement);
  // Gives back what no handler has begun.
  void ReleaseWaiting();
  // Asks for an extension at once; `Lease::extension` reaches the number when it is answered.
  uint64_t Extend(const std::shared_ptr<Lease>& lease);
  // From now on only settles.
  void StopExtending() { extends_ = false; }

  // What time has done: loses leases that are over, asks for extensions that are due.
  void Pass(absl::Duration now);
  // The next call's settlements: none while there are none, or before the pause is over. Answer
  // each batch with Answered or Failed.
  Batch Take(absl::Duration now);
  // Results in the batch's order; the leases last from `sent_at` on.
  void Answered(const Batch& batch, const kustom::ipp::v1::SettleSessionEventsResponse& response,
                absl::Duration sent_at);
  // The answer may be lost: the same is sent again, which does nothing twice, unless a retry cannot
  // resolve the error. `chance`: uniform in [0, 1).
  void Failed(Batch batch, const grpc::Status& status, absl::Duration now, double chance);
  // When Pass, or Take, will have something to do; infinite: not by time alone.
  absl::Duration PassDueAt() const;
  absl::Duration TakeDueAt() const {
    return wishes_.empty() ? absl::InfiniteDuration() : again_at_;
  }

  // The leases that were lost since the last call.
  std::vector<std::shared_ptr<Lease>> TakeLost();
  // Nothing waits for an answer.
  bool Settled() const { return wishes_.empty() && under_way_ == 0; }

 private:
  uint64_t Ask(const std::shared_ptr<Lease>& lease, kustom::ipp::v1::Settlement settlement);
  void Lose(const std::shared_ptr<Lease>& lease);

  std::map<std::string, std::shared_ptr<Lease>> held_;  // by `lease`
  Batch wishes_;
  std::vector<std::shared_ptr<Lease>> lost_;
  uint64_t numbers_ = 0;
  size_t under_way_ = 0;
  bool extends_ = true;
  absl::Duration again_at_;  // no call before
  Backoff backoff_;
};

}  // namespace ipp::client
