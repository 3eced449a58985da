#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "google/protobuf/message.h"
#include "gtest/gtest.h"
#include "server/creates/create_flow.h"

namespace ipp {

// A call to the gateway, and the upstream that it talks to, without gRPC and HTTP: a test writes
// down what the upstream answers, request by request. Not thread-safe.
class FakeServedCall final : public creates::CreateCall {
 public:
  struct Sent {
    std::string rpc;
    std::unique_ptr<google::protobuf::Message> request;
  };

  // What a request is answered with; `response` is filled in when there is one.
  void Answer(upstream::CallResult result, const google::protobuf::Message* response = nullptr) {
    Scripted scripted{std::move(result), nullptr};
    if (response != nullptr) {
      scripted.response.reset(response->New());
      scripted.response->CopyFrom(*response);
    }
    script_.push_back(std::move(scripted));
  }
  void Go() { cancelled_ = true; }
  void set_trace(TraceContext trace) { trace_ = std::move(trace); }

  const std::vector<Sent>& sent() const { return sent_; }
  // Empty: not finished.
  const std::optional<absl::Status>& end() const { return end_; }
  bool ledger_asked() const { return ledger_asked_; }

  const TraceContext& trace() const override { return trace_; }
  bool cancelled() const override { return cancelled_; }
  void set_ledger_asked() override { ledger_asked_ = true; }
  void Start(const routes::Route& route, const google::protobuf::Message& request,
             google::protobuf::Message* response, const upstream::CallContext&,
             absl::AnyInvocable<void(upstream::CallResult) &&> then) override {
    ASSERT_FALSE(end_.has_value()) << "a request after the call's end";
    Sent sent{std::string(route.method()->name()), nullptr};
    sent.request.reset(request.New());
    sent.request->CopyFrom(request);
    sent_.push_back(std::move(sent));
    ASSERT_FALSE(script_.empty()) << "no answer is written down for " << sent_.back().rpc;
    Scripted scripted = std::move(script_.front());
    script_.pop_front();
    if (scripted.response != nullptr) response->CopyFrom(*scripted.response);
    std::move(then)(std::move(scripted.result));
  }
  void Finish(const absl::Status& status) override {
    ASSERT_FALSE(end_.has_value()) << "finished twice: " << status;
    end_ = status;
  }

 private:
  struct Scripted {
    upstream::CallResult result;
    std::unique_ptr<google::protobuf::Message> response;
  };

  TraceContext trace_ = {};
  bool cancelled_ = false;
  bool ledger_asked_ = false;
  std::deque<Scripted> script_;
  std::vector<Sent> sent_;
  std::optional<absl::Status> end_;
};

}  // namespace ipp
