#include "server/rpc/method_table.h"

namespace ipp::rpc {
namespace {

// google.rpc.Code by number, as metric labels spell them.
constexpr std::array<const char*, 17> kCodeNames = {
    "OK",       "Canceled",       "Unknown",          "InvalidArgument",   "DeadlineExceeded",
    "NotFound", "AlreadyExists",  "PermissionDenied", "ResourceExhausted", "FailedPrecondition",
    "Aborted",  "OutOfRange",     "Unimplemented",    "Internal",          "Unavailable",
    "DataLoss", "Unauthenticated"};

}  // namespace

MethodTable::MethodTable(const routes::RouteTable& routes, Metrics* metrics) {
  for (const auto& [name, route] : routes.routes()) {
    const google::protobuf::MethodDescriptor* descriptor = route.method();
    const Labels labels = {
        {"grpc_type", descriptor->server_streaming() ? "server_stream" : "unary"},
        {"grpc_service", descriptor->service()->full_name()},
        {"grpc_method", descriptor->name()}};
    Method& method = methods_[descriptor->input_type()];
    method.route = &route;
    method.started = &metrics->counter("grpc_server_started_total", "RPCs started.", labels);
    method.received =
        &metrics->counter("grpc_server_msg_received_total", "Messages received.", labels);
    method.sent = &metrics->counter("grpc_server_msg_sent_total", "Messages sent.", labels);
    method.seconds = &metrics->histogram("grpc_server_handling_seconds",
                                         "From an RPC's arrival to its end.", labels);
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
    // Ends first: an RPC that starts and ends meanwhile must not make up for one that goes on.
    for (const Counter* handled : method.handled) in_flight -= handled->value();
    in_flight += method.started->value();
  }
  return static_cast<int64_t>(in_flight);
}

}  // namespace ipp::rpc
