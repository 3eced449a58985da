#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/base/backoff.h"
#include "server/base/metrics.h"
#include "server/store/postgres/connection.h"

namespace ipp::store {

// A connection that is made again when it was lost: at once the first time, then with pauses that
// double up to 2 s, jittered. For one thread.
class ReconnectingConnection {
 public:
  struct Options {
    std::string name;  // "writer": for logs and metrics
    PostgresFiles files;
    PostgresRole role = PostgresRole::kWrite;
    std::chrono::nanoseconds grace;
    const StopSignal* stop = nullptr;
    Counter* reconnects = nullptr;
    // What each new connection needs; when it fails the connection counts as not made.
    std::function<absl::Status(PostgresConnection&)> set_up;
  };
  explicit ReconnectingConnection(Options options) : options_(std::move(options)) {}

  // While a pause lasts: wait for its end and try, or fail with what was wrong the last time.
  enum class InPause { kWait, kFail };
  // The connection, made if there is none. UNAVAILABLE when it cannot be, CANCELLED when the store
  // is being closed.
  absl::StatusOr<PostgresConnection*> Get(InPause in_pause);
  bool up() const { return connection_ != nullptr; }

  // It did what it is for: the next loss is the first again.
  void Worked();
  // It failed: the next Get() makes another.
  void Drop(const absl::Status& why);

 private:
  absl::Status Make();
  void PauseAfter(const absl::Status& failure);

  const Options options_;
  std::unique_ptr<PostgresConnection> connection_;
  bool made_before_ = false;
  int failures_ = 0;  // in a row
  absl::Status last_failure_;
  std::chrono::steady_clock::time_point next_try_;
  Backoff backoff_{absl::Milliseconds(50), absl::Seconds(2)};
};

}  // namespace ipp::store
