#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "kustom/ipp/v1/location.pb.h"
#include "kustom/ipp/v1/session.pb.h"
#include "tests/bench/flags.h"
#include "tests/bench/process_clock.h"

// Keeps a number of unary calls in flight, and measures them and the CPU of the server's process.
// Bytes in, bytes out: a client that parsed would take CPU away from the server.
namespace ipp::bench {
namespace {

using std::chrono::steady_clock;

// An order like bed.py's. Without a request_id: each call is a create of its own.
std::string CreateSessionBytes(const std::string& device) {
  kustom::ipp::v1::CreateSessionRequest request;
  request.set_device_id(device);
  request.set_order_amount(25000);
  request.set_order_tax_amount(5000);
  request.set_purchase_currency("SEK");
  request.set_merchant_reference1("SHOP-1001");
  auto* item = request.add_order_items();
  item->set_name("Coffee");
  item->set_quantity(2);
  item->set_unit_price(12500);
  item->set_total_amount(25000);
  item->set_tax_rate(2500);
  item->set_total_tax_amount(5000);
  return request.SerializeAsString();
}

// `id`: of what is read, or of the device to create on.
grpc::ByteBuffer Request(const std::string& rpc, const std::string& id) {
  std::string bytes;
  if (rpc == "CreateSession") {
    bytes = CreateSessionBytes(id);
  } else if (rpc == "GetSession") {
    kustom::ipp::v1::GetSessionRequest request;
    request.set_session_id(id);
    bytes = request.SerializeAsString();
  } else {
    kustom::ipp::v1::GetLocationRequest request;
    request.set_location_id(id);
    bytes = request.SerializeAsString();
  }
  const grpc::Slice slice(bytes);
  return grpc::ByteBuffer(&slice, 1);
}

std::string MethodPath(const std::string& rpc) {
  if (rpc == "CreateSession") return "/kustom.ipp.v1.SessionService/CreateSession";
  if (rpc == "GetSession") return "/kustom.ipp.v1.SessionService/GetSession";
  if (rpc == "GetLocation") return "/kustom.ipp.v1.LocationService/GetLocation";
  Die("no such --rpc: " + rpc);
}

// Counted from when the last call of the warm-up ended to when the last of all did.
class Load {
 public:
  explicit Load(const Flags& flags)
      : method_(MethodPath(flags.Text("rpc"))),
        request_(Request(flags.Text("rpc"), flags.Text("id"))),
        authorization_("Bearer " + flags.Text("token")),
        server_(flags.Number("server-pid")),
        expected_(grpc::StatusCode(std::stoi(flags.Text("expect", "0")))),
        warm_up_(flags.Number("warm-up")),
        all_(warm_up_ + flags.Number("calls")),
        latencies_us_(static_cast<size_t>(all_)) {
    const int in_flight = flags.Number("in-flight");
    for (int i = 0; i < std::min(in_flight, flags.Number("connections")); ++i) {
      grpc::ChannelArguments arguments;
      arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // a connection of its own
      stubs_.push_back(std::make_unique<grpc::GenericStub>(grpc::CreateCustomChannel(
          flags.Text("target"), grpc::InsecureChannelCredentials(), arguments)));
    }
    for (int i = 0; i < in_flight; ++i) {
      calls_.push_back(
          std::make_unique<Call>(this, stubs_[static_cast<size_t>(i) % stubs_.size()].get()));
    }
  }

  void Run() {
    if (warm_up_ == 0) Sample(&begin_);
    for (const auto& call : calls_) call->Next();
    std::unique_lock<std::mutex> lock(mutex_);
    done_.wait(lock, [this] { return idle_ == calls_.size(); });
    if (!error_.empty()) Die("a call failed: " + error_);
    Print();
  }

 private:
  struct Instant {
    steady_clock::time_point time;
    double cpu_us = 0;
  };

  class Call {
   public:
    Call(Load* load, grpc::GenericStub* stub) : load_(load), stub_(stub) {}

    void Next() {
      if (load_->started_.fetch_add(1) >= load_->all_) return load_->Idle("");
      context_.emplace();
      context_->AddMetadata("authorization", load_->authorization_);
      context_->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
      began_ = steady_clock::now();
      stub_->UnaryCall(
          &*context_, load_->method_, {}, &load_->request_, &response_,
          [this](const grpc::Status& status) {
            if (status.error_code() != load_->expected_) {
              return load_->Idle(absl::StrCat(status.error_code(), " ", status.error_message()));
            }
            load_->Ended(steady_clock::now() - began_);
            Next();
          });
    }

   private:
    Load* const load_;
    grpc::GenericStub* const stub_;
    std::optional<grpc::ClientContext> context_;
    grpc::ByteBuffer response_;
    steady_clock::time_point began_;
  };

  void Sample(Instant* instant) const {
    instant->time = steady_clock::now();
    instant->cpu_us = ProcessCpuUs(server_);
  }

  void Ended(steady_clock::duration latency) {
    const int number = ended_.fetch_add(1) + 1;
    latencies_us_[static_cast<size_t>(number - 1)] =
        std::chrono::duration<double, std::micro>(latency).count();
    if (number == warm_up_) Sample(&begin_);
    if (number == all_) Sample(&end_);
  }

  void Idle(const std::string& error) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!error.empty()) error_ = error;
    if (++idle_ == calls_.size()) done_.notify_one();
  }

  void Print() {
    std::vector<double> measured(latencies_us_.begin() + warm_up_, latencies_us_.end());
    std::sort(measured.begin(), measured.end());
    const auto at = [&measured](double share) {
      return measured[static_cast<size_t>(share * static_cast<double>(measured.size() - 1))];
    };
    const auto calls = static_cast<double>(measured.size());
    const double seconds = std::chrono::duration<double>(end_.time - begin_.time).count();
    std::printf("cpu_us=%.3f per_second=%.0f p50_us=%.0f p99_us=%.0f\n",
                (end_.cpu_us - begin_.cpu_us) / calls, calls / seconds, at(0.5), at(0.99));
  }

  const std::string method_;
  const grpc::ByteBuffer request_;
  const std::string authorization_;
  const pid_t server_;
  const grpc::StatusCode expected_;  // of each call
  const int warm_up_;
  const int all_;
  std::vector<std::unique_ptr<grpc::GenericStub>> stubs_;
  std::vector<std::unique_ptr<Call>> calls_;
  std::atomic<int> started_{0};
  std::atomic<int> ended_{0};
  std::vector<double> latencies_us_;
  Instant begin_;
  Instant end_;
  std::mutex mutex_;
  std::condition_variable done_;
  size_t idle_ = 0;
  std::string error_;
};

}  // namespace

int RunCalls(const Flags& flags) {
  Load(flags).Run();
  return 0;
}

}  // namespace ipp::bench
