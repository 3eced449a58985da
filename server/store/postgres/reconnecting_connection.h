#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/base/backoff.h"
#include "server/base/metrics.h"
#include "server/store/postgres/connection.h"

namespace ipp::store {

// A connection that is opened again after it was lost: at once the first time, then with jittered
// pauses that double up to 2 s. The files are read again each time; if they cannot be used, what
// they held before is. For one thread.
class ReconnectingConnection {
 public:
  struct Options {
    std::string name;  // "writer": for logs and metrics
    PostgresFiles files;
    PostgresRole role = PostgresRole::kWrite;
    std::chrono::nanoseconds grace;
    std::shared_ptr<const StopSignal> stop;
    Counter* reconnects = nullptr;
    // Prepares each new connection; when it fails, the connection counts as not opened.
    std::function<absl::Status(PostgresConnection&)> set_up;
  };
  explicit ReconnectingConnection(Options options) : options_(std::move(options)) {}

  // During a pause: wait for its end and try, or fail with the last error.
  enum class InPause { kWait, kFail };
  // Returns the connection; opens it if there is none. UNAVAILABLE when that fails, CANCELLED when
  // the store is being closed.
  absl::StatusOr<PostgresConnection*> Get(InPause in_pause);
  bool up() const { return connection_ != nullptr; }

  // The connection worked: the next loss counts as the first.
  void Worked();
  // The connection failed: the next Get() opens another.
  void Drop(const absl::Status& why);

 private:
  absl::Status Make();
  absl::StatusOr<std::vector<PostgresTarget>> Targets();
  void PauseAfter(const absl::Status& failure);

  const Options options_;
  std::vector<PostgresTarget> targets_;  // as they were read last
  bool files_refused_ = false;
  std::unique_ptr<PostgresConnection> connection_;
  bool made_before_ = false;
  int failures_ = 0;  // in a row
  absl::Status last_failure_;
  std::chrono::steady_clock::time_point next_try_;
  Backoff backoff_{absl::Milliseconds(50), absl::Seconds(2)};
};

}  // namespace ipp::store
