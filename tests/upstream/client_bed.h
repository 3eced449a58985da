#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "gtest/gtest.h"
#include "kustom/ipp/v1/session.pb.h"
#include "server/upstream/upstream_client.h"
#include "tests/upstream/upstream_bed.h"

// What the suites over the client stand on.
namespace ipp::upstream::fixtures {

namespace v1 = kustom::ipp::v1;

inline constexpr char kId[] = "6f1c7a3e-4b1d-4c56-9d6b-0a2f5c1b7e90";
inline constexpr char kSession[] =
    R"({"session_id":"6f1c7a3e-4b1d-4c56-9d6b-0a2f5c1b7e90","status":"CREATED"})";

// Makes one call at a time and keeps what came of it.
class ClientBed : public UpstreamBed {
 protected:
  using Result = std::optional<CallResult>;

  std::shared_ptr<UpstreamClient::Call> Start(const std::string& rpc,
                                              const google::protobuf::Message& request,
                                              google::protobuf::Message* response,
                                              const CallContext& context) {
    inside_ = true;
    auto call = client_->Start(RouteOf(rpc), request, response, context, [this](CallResult result) {
      EXPECT_FALSE(inside_) << "answered inside the call";
      EXPECT_FALSE(result_.has_value()) << "answered twice";
      result_ = std::move(result);
    });
    inside_ = false;
    return call;
  }
  std::shared_ptr<UpstreamClient::Call> GetSession(const CallContext& context) {
    v1::GetSessionRequest request;
    request.set_session_id(kId);
    return Start("SessionService/GetSession", request, &get_, context);
  }
  std::shared_ptr<UpstreamClient::Call> CreateSession(const CallContext& context) {
    v1::CreateSessionRequest request;
    request.set_device_id(kId);
    return Start("SessionService/CreateSession", request, &created_, context);
  }
  std::shared_ptr<UpstreamClient::Call> CancelSession(const CallContext& context) {
    v1::CancelSessionRequest request;
    request.set_session_id(kId);
    return Start("SessionService/CancelSession", request, &cancelled_, context);
  }
  // Lets the pause before the next attempt pass; how long it was.
  absl::Duration PassPause() {
    const absl::Duration pause = scheduler_.NextDelay();
    scheduler_.Advance(pause);
    return pause;
  }
  // What the one call came to.
  ErrorDetail Detail() { return GetErrorDetail(result_->status); }

  v1::GetSessionResponse get_;
  v1::CreateSessionResponse created_;
  v1::CancelSessionResponse cancelled_;
  Result result_;
  bool inside_ = false;
};

}  // namespace ipp::upstream::fixtures
