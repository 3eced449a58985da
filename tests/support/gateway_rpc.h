#pragma once

#include <grpcpp/grpcpp.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "server/base/error.h"

// Calls over real stubs, with what came of them unpacked.
namespace ipp {

struct CallOptions {
  std::map<std::string, std::string> metadata = {};
  // Long enough for any machine: a call that hangs fails its test and does not hang it.
  absl::Duration timeout = absl::Seconds(30);
};

// Fills in what every call of a test has.
void Prepare(const CallOptions& options, grpc::ClientContext* context);

// How an RPC ended.
struct RpcEnd {
  grpc::StatusCode code = grpc::StatusCode::OK;
  std::string message;
  std::string domain;      // of google.rpc.ErrorInfo
  ErrorDetail detail;      // what the google.rpc.Status in the trailers holds
  bool consistent = true;  // that its code and message are those of the trailers
  std::map<std::string, std::string> trailers;

  bool ok() const { return code == grpc::StatusCode::OK; }
  const std::string& reason() const { return detail.reason; }
  // Of ErrorInfo; "-" when it is not there.
  std::string info(const std::string& key) const;
  // Of BadRequest, in its order.
  std::vector<std::string> fields() const;
};

RpcEnd EndOf(const grpc::Status& status, const grpc::ClientContext& context);

testing::AssertionResult Ok(const RpcEnd& end);
// The code and ErrorInfo.reason, and that the error is dressed as every error must be.
testing::AssertionResult Refused(const RpcEnd& end, grpc::StatusCode code,
                                 const std::string& reason);

template <typename Response>
struct Reply : RpcEnd {
  Response response;
};

// CallOver(channel, &v1::DeviceService::Stub::GetDevice, request)
template <typename Stub, typename Request, typename Response>
Reply<Response> CallOver(const std::shared_ptr<grpc::Channel>& channel,
                         grpc::Status (Stub::*rpc)(grpc::ClientContext*, const Request&, Response*),
                         const Request& request, const CallOptions& options = {}) {
  Stub stub(channel);
  grpc::ClientContext context;
  Prepare(options, &context);
  Reply<Response> reply;
  static_cast<RpcEnd&>(reply) = EndOf((stub.*rpc)(&context, request, &reply.response), context);
  return reply;
}

// A message in protobuf's text format.
template <typename Message>
Message Text(const std::string& text) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message)) << text;
  return message;
}

// An RPC by its stub's method, with the request as text: for tables.
using TextRpc = RpcEnd (*)(const std::shared_ptr<grpc::Channel>&, const std::string& request,
                           const CallOptions&);

namespace text_rpc_internal {
template <typename Stub, typename Request, typename Response>
RpcEnd Call(grpc::Status (Stub::*rpc)(grpc::ClientContext*, const Request&, Response*),
            const std::shared_ptr<grpc::Channel>& channel, const std::string& text,
            const CallOptions& options) {
  return CallOver(channel, rpc, Text<Request>(text), options);
}
// A stream: read to its end.
template <typename Stub, typename Request, typename Response>
RpcEnd Call(std::unique_ptr<grpc::ClientReader<Response>> (Stub::*rpc)(grpc::ClientContext*,
                                                                       const Request&),
            const std::shared_ptr<grpc::Channel>& channel, const std::string& text,
            const CallOptions& options) {
  Stub stub(channel);
  grpc::ClientContext context;
  Prepare(options, &context);
  const auto reader = (stub.*rpc)(&context, Text<Request>(text));
  for (Response message; reader->Read(&message);) {
  }
  return EndOf(reader->Finish(), context);
}
}  // namespace text_rpc_internal

// A row of a table says `AsText<&v1::DeviceService::Stub::GetDevice>`.
template <auto kRpc>
RpcEnd AsText(const std::shared_ptr<grpc::Channel>& channel, const std::string& request,
              const CallOptions& options) {
  return text_rpc_internal::Call(kRpc, channel, request, options);
}

}  // namespace ipp
