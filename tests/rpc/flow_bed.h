#pragma once

#include <deque>
#include <fstream>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "server/auth/caller_table.h"
#include "server/rpc/rpc_server.h"
#include "tests/store/store_contract.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_store.h"
#include "tests/support/gateway_rpc.h"

// The gRPC port over a store in memory and an upstream that answers what a test has written down:
// for flows of several requests, whose order a test must decide.
namespace ipp::rpc::fixtures {

// Answers the requests in their order, each on a thread of its own. A request without an answer
// fails the test.
class ScriptedTransport final : public http::HttpTransport {
 public:
  ~ScriptedTransport() override {
    for (std::thread& thread : threads_) thread.join();
  }
  void Answer(int code, std::string body) {
    Push({absl::OkStatus(), http::RequestFate::kSent, {code, {}, std::move(body)}});
  }
  int concurrency() const override { return 100; }
  void Break(http::RequestFate fate) { Push({absl::UnavailableError("broken"), fate, {}}); }

  std::vector<std::string> methods() const {
    MutexLock lock(&mutex_);
    return methods_;
  }

  std::shared_ptr<Call> Send(http::HttpRequest request, Done done) override {
    struct NoCall final : Call {
      void Cancel() override {}
    };
    MutexLock lock(&mutex_);
    methods_.push_back(request.method);
    http::HttpResult result;
    if (script_.empty()) {
      ADD_FAILURE() << "unexpected " << request.method << " " << request.target;
      result.status = absl::UnavailableError("nothing is scripted");
    } else {
      result = std::move(script_.front());
      script_.pop_front();
    }
    threads_.emplace_back([done = std::move(done), result = std::move(result)]() mutable {
      std::move(done)(std::move(result));
    });
    return std::make_shared<NoCall>();
  }

 private:
  void Push(http::HttpResult result) {
    MutexLock lock(&mutex_);
    script_.push_back(std::move(result));
  }

  mutable Mutex mutex_;
  std::deque<http::HttpResult> script_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> methods_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(mutex_);
};

class FlowBed : public testing::Test {
 protected:
  FlowBed() {
    EXPECT_TRUE(credentials_.Add("PM1", "", key_.File("key"), &clock_).ok());
    std::vector<auth::CallerEntry> callers;
    callers_ = *auth::CallerTable::Create(callers, {"PM1"}, routes_->Permissions());
    Backends backends{.routes = routes_.get(),
                      .upstream = &client_,
                      .devices = nullptr,
                      .recorder = &recorder_,
                      .observer = &observer_,
                      .reconciler = nullptr,
                      .ledger = &ledger_,
                      .create_waits = nullptr,
                      .store = &store_,
                      .hub = nullptr,
                      .shared = nullptr,
                      .callers = callers_.get(),
                      .clock = &clock_,
                      .scheduler = &scheduler_,
                      .metrics = &metrics_,
                      .options = {}};
    server_ = *RpcServer::Start({}, backends);
    channel_ = grpc::CreateChannel(absl::StrCat("127.0.0.1:", server_->port()),
                                   grpc::InsecureChannelCredentials());
  }
  ~FlowBed() override {
    channel_.reset();
    server_.reset();
    ledger_.Stop();
  }

  template <typename Rpc, typename Request>
  auto Call(Rpc rpc, const Request& request) {
    return CallOver(channel_, rpc, request);
  }
  // What the log says, by the names of the events' types.
  std::vector<std::string> Log() const {
    std::vector<std::string> types;
    for (const auto& event : store_.events()) {
      types.push_back(kustom::ipp::v1::SessionEventType_Name(event.type()).substr(19));
    }
    return types;
  }

 private:
  struct KeyFile : store::contract::TempDirectory {
    KeyFile() { std::ofstream(File("key")) << "a-key"; }
  };

 protected:
  const KeyFile key_;
  // The real one: a create of an unknown outcome waits for its session, within its caller's time.
  Clock& clock_ = *Clock::Real();
  Metrics metrics_;
  ThreadScheduler scheduler_;
  const std::unique_ptr<routes::RouteTable> routes_ = *routes::RouteTable::CompileContract();
  upstream::Credentials credentials_;
  store::FakeStore store_{&clock_};
  sessions::SessionRecorder recorder_{&store_, &metrics_};
  sessions::ReadObserver observer_{&recorder_};
  creates::CreateLedger ledger_{&store_, &clock_, &scheduler_, &metrics_, {}};
  ScriptedTransport upstream_;
  upstream::UpstreamClient client_{
      &upstream_, &credentials_, routes_.get(), &clock_, &scheduler_, &metrics_, {}};
  std::unique_ptr<auth::CallerTable> callers_;
  std::unique_ptr<RpcServer> server_;
  std::shared_ptr<grpc::Channel> channel_;
};

}  // namespace ipp::rpc::fixtures
