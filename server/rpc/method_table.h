#pragma once

#include <grpcpp/support/status.h>

#include <array>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "google/protobuf/descriptor.h"
#include "server/base/metrics.h"
#include "server/base/mutex.h"
#include "server/routes/route_table.h"

namespace ipp::rpc {

// Counts the errors of one RPC by their reason. Thread-safe. The number of reasons is limited by
// the gateway's code (docs/when-a-call-fails.md); any other text is counted as "other".
class ErrorCounters {
 public:
  ErrorCounters(std::string rpc, Metrics* metrics) : rpc_(std::move(rpc)), metrics_(metrics) {}
  // An empty reason counts as INTERNAL, which is what the caller gets.
  void Count(const std::string& reason);

 private:
  const std::string rpc_;
  Metrics* const metrics_;
  Mutex mutex_;
  absl::flat_hash_map<std::string, Counter*> by_reason_ ABSL_GUARDED_BY(mutex_);
};

// An RPC as the services see it: its route and its metrics, with go-grpc-middleware's names.
struct Method {
  const routes::Route* route;
  Counter* started;
  Counter* received;
  Counter* sent;
  Histogram* seconds;
  std::array<Counter*, 17> handled;  // by gRPC code
  std::unique_ptr<ErrorCounters> errors;
};

// The methods, by request type, since every RPC has a request type of its own. Immutable.
class MethodTable {
 public:
  MethodTable(const routes::RouteTable& routes, Metrics* metrics);

  template <typename Request>
  const Method& Find() const {
    return methods_.at(Request::descriptor());
  }

  // The full names of the services, such as kustom.ipp.v1.DeviceService.
  std::set<std::string> Services() const;

  // The number of RPCs that have started and not ended.
  int64_t InFlight() const;

 private:
  absl::flat_hash_map<const google::protobuf::Descriptor*, Method> methods_;
};

}  // namespace ipp::rpc
