#pragma once

#include <chrono>
#include <cstddef>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "server/base/metrics.h"
#include "server/store/inbox.h"
#include "server/store/store_calls.h"

namespace ipp::store {

// A queue of reads for one thread that owns a database connection. Thread-safe, except that Run()
// is for that thread alone. Every `done` runs on that thread, or on the inbox's refusal thread when
// the queue is full.
template <typename Reader>
class ReadQueue {
 public:
  ReadQueue(size_t limit, Gauge* depth)
      : reads_(limit, depth, [](Read& read) { std::move(read)(QueueFull()); }) {}

  template <typename T>
  void Push(absl::AnyInvocable<absl::StatusOr<T>(Reader*)> read,
            absl::AnyInvocable<void(absl::StatusOr<T>) &&> done) {
    reads_.Push(
        [read = std::move(read), done = std::move(done)](absl::StatusOr<Reader*> reader) mutable {
          if (!reader.ok()) return std::move(done)(reader.status());
          absl::StatusOr<T> result = read(*reader);
          std::move(done)(result.ok() ? std::move(result) : ForCaller(result.status()));
        });
  }

  // Executes reads until Stop(), then answers those that are left with CANCELLED.
  void Run(Reader* reader) {
    while (true) {
      typename Inbox<Read>::Taken taken = reads_.Take(1, std::chrono::hours(1));
      for (Read& read : taken.work) {
        if (taken.stopping) {
          std::move(read)(Closing());
        } else {
          std::move(read)(reader);
        }
      }
      if (taken.stopping) return;
    }
  }
  void Stop() { reads_.Stop(); }

 private:
  // Called with the reader, or with the error that the read is refused with.
  using Read = absl::AnyInvocable<void(absl::StatusOr<Reader*>) &&>;
  Inbox<Read> reads_;
};

}  // namespace ipp::store
