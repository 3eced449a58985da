#include "server/rpc/method_table.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/string_view.h"

namespace ipp::rpc {
namespace {

// google.rpc.Code by number, in the spelling of metric labels.
constexpr std::array<const char*, 17> kCodeNames = {
    "OK",       "Canceled",       "Unknown",          "InvalidArgument",   "DeadlineExceeded",
    "NotFound", "AlreadyExists",  "PermissionDenied", "ResourceExhausted", "FailedPrecondition",
    "Aborted",  "OutOfRange",     "Unimplemented",    "Internal",          "Unavailable",
    "DataLoss", "Unauthenticated"};

// Limits the number of series; the gateway has fewer reasons than this.
constexpr size_t kMostReasons = 100;

bool IsReason(absl::string_view text) {
  return !text.empty() && text.size() <= 40 && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isupper(c) || absl::ascii_isdigit(c) || c == '_';
  });
}

}  // namespace

void ErrorCounters::Count(const std::string& reason) {
  std::string label = reason.empty() ? "INTERNAL" : reason;
  MutexLock lock(&mutex_);
  auto found = by_reason_.find(label);
  if (found == by_reason_.end()) {
    if (!IsReason(label) || by_reason_.size() >= kMostReasons) label = "other";
    Counter& counter =
        metrics_->counter("ipp_errors_total", "Errors that callers got, by RPC and reason.",
                          {{"rpc", rpc_}, {"reason", label}});
    found = by_reason_.emplace(std::move(label), &counter).first;
  }
  found->second->Add();
}

MethodTable::MethodTable(const routes::RouteTable& routes, Metrics* metrics) {
  for (const auto& [name, route] : routes.routes()) {
    const google::protobuf::MethodDescriptor* descriptor = route.method();
    const Labels labels = {
        {"grpc_type", descriptor->server_streaming() ? "server_stream" : "unary"},
        {"grpc_service", std::string(descriptor->service()->full_name())},
        {"grpc_method", std::string(descriptor->name())}};
    Method& method = methods_[descriptor->input_type()];
    method.route = &route;
    method.started = &metrics->counter("grpc_server_started_total", "RPCs started.", labels);
    method.received =
        &metrics->counter("grpc_server_msg_received_total", "Messages received.", labels);
    method.sent = &metrics->counter("grpc_server_msg_sent_total", "Messages sent.", labels);
    method.seconds = &metrics->histogram("grpc_server_handling_seconds",
                                         "From an RPC's arrival to its end.", labels);
    method.errors = std::make_unique<ErrorCounters>(std::string(descriptor->name()), metrics);
    for (size_t code = 0; code < kCodeNames.size(); ++code) {
      Labels with_code = labels;
      with_code["grpc_code"] = kCodeNames[code];
      method.handled[code] =
          &metrics->counter("grpc_server_handled_total", "RPCs ended, by code.", with_code);
    }
  }
}

int64_t MethodTable::InFlight() const {
  double in_flight = 0;
  for (const auto& [request, method] : methods_) {
    // Read the ends before the starts: an RPC that starts and ends in between must not hide one
    // that is still in flight.
    for (const Counter* handled : method.handled) in_flight -= handled->value();
    in_flight += method.started->value();
  }
  return static_cast<int64_t>(in_flight);
}

std::set<std::string> MethodTable::Services() const {
  std::set<std::string> names;
  for (const auto& [request, method] : methods_) {
    names.emplace(method.route->method()->service()->full_name());
  }
  return names;
}

}  // namespace ipp::rpc
