#pragma once

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "kustom/ipp/v1/session.grpc.pb.h"
#include "server/base/mutex.h"
#include "tests/faults/changes.h"
#include "tests/faults/history.h"

namespace ipp::faults {

// WatchSession of single sessions, each called again (at the next gateway) whenever a kill breaks
// it, until it ends with OK. A thread a watch. Thread-safe, but for End.
class Watches {
 public:
  Watches(std::vector<std::string> gateways, Changes* changes)
      : gateways_(std::move(gateways)), changes_(changes) {}
  ~Watches() { End(); }

  // `spelled` is what is asked for: the same id, in any letter case.
  void WatchSession(const std::string& merchant_id, const std::string& session_id,
                    const std::string& spelled);
  // One whose create is about to be sent. If that is not answered it may never begin: not judged
  // then, unless it saw something.
  void WatchRequest(const std::string& merchant_id, const std::string& request_id);

  std::vector<WatchObservation> observations() const;
  std::vector<std::string> complaints() const;
  // Ends all of them, and forgets what they saw.
  void End();

 private:
  struct Watch;
  void Begin(std::shared_ptr<Watch> watch);
  void Run(Watch* watch);
  bool CallOnce(Watch* watch, const std::string& gateway);

  const std::vector<std::string> gateways_;
  Changes* const changes_;
  mutable Mutex mutex_;
  CondVar stopped_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::shared_ptr<Watch>> watches_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> complaints_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace ipp::faults
