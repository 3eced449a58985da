#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "kustom/ipp/v1/session_event.grpc.pb.h"
#include "server/base/mutex.h"
#include "tests/faults/observer.h"

namespace ipp::faults {

// A subscriber on bare gRPC, stricter than the library: each message of a stream is held against
// what the contract allows at that place. After each break it goes to the next gateway.
class RawObserver final : public Observer {
 public:
  struct Options {
    std::string name;
    std::vector<std::string> gateways;
    kustom::ipp::v1::SessionEventFilter filter = {};
    // Leaves the stream by itself after at most so many messages, and continues from there, or from
    // any event before: then it must see again what it saw. 0: only when it breaks.
    int restless_after = 0;
    uint64_t seed = 0;
  };
  RawObserver(Options options, Changes* changes);
  ~RawObserver() override;

  Observation observation() const override { return notebook_.observation(); }
  // Streams begun, heartbeats seen.
  int streams() const { return streams_.load(); }
  int heartbeats() const { return heartbeats_.load(); }

 private:
  using Message = kustom::ipp::v1::SubscribeSessionEventsResponse;

  void Run();
  // One stream; false: the last one.
  bool Follow(const std::string& gateway);
  // Chooses where to continue.
  void ChooseStart(kustom::ipp::v1::SubscribeSessionEventsRequest* request);
  void Take(const Message& message, bool first);
  void TakeEvent(const kustom::ipp::v1::SessionEvent& event);
  void TakePosition(const std::string& cursor, absl::string_view what);

  const Options options_;
  Notebook notebook_;
  std::mt19937_64 random_;
  std::string cursor_;     // the last one seen
  std::string asked_for_;  // of this stream; empty: from the oldest
  size_t next_ = 0;        // events of the notebook that this position is behind
  std::atomic<int> streams_ = 0;
  std::atomic<int> heartbeats_ = 0;
  Mutex mutex_;
  CondVar stopped_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::unique_ptr<grpc::ClientContext> context_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace ipp::faults
