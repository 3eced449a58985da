#pragma once

#include <grpcpp/support/status.h>

#include <array>
#include <memory>
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

// The errors that callers of one RPC get, by their reason. Thread-safe. There are as many reasons
// as the server has words for (docs/when-a-call-fails.md); should something else ever be in that
// place, it is counted as "other".
class ErrorCounters {
 public:
  ErrorCounters(std::string rpc, Metrics* metrics) : rpc_(std::move(rpc)), metrics_(metrics) {}
  // Nothing when it is none. `status` without a reason: INTERNAL, as the caller is told.
  void Count(const absl::Status& status);

 private:
  const std::string rpc_;
  Metrics* const metrics_;
  Mutex mutex_;
  absl::flat_hash_map<std::string, Counter*> by_reason_ ABSL_GUARDED_BY(mutex_);
};

// An RPC as the services see it: its route and its metrics, under go-grpc-middleware's names.
struct Method {
  const routes::Route* route;
  Counter* started;
  Counter* received;
  Counter* sent;
  Histogram* seconds;
  std::array<Counter*, 17> handled;  // by gRPC code
  std::unique_ptr<ErrorCounters> errors;
};

// Immutable. Every RPC has its own request type, so that is the key.
class MethodTable {
 public:
  MethodTable(const routes::RouteTable& routes, Metrics* metrics);

  template <typename Request>
  const Method& Find() const {
    return methods_.at(Request::descriptor());
  }

  // RPCs that have started and not ended.
  int64_t InFlight() const;

 private:
  absl::flat_hash_map<const google::protobuf::Descriptor*, Method> methods_;
};

}  // namespace ipp::rpc
