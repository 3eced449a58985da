#include "tests/faults/consumers/consumer_process.h"

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <deque>
#include <memory>
#include <random>
#include <thread>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "ippclient/error.h"
#include "kustom/ipp/v1/shared_subscription.grpc.pb.h"
#include "server/base/mutex.h"
#include "server/base/protobuf_time.h"
#include "tests/faults/consumers/journal.h"
#include "tests/faults/fresh_channel.h"
#include "tests/faults/plan.h"

namespace ipp::faults {
namespace {

namespace v1 = kustom::ipp::v1;
using Stub = v1::SharedSubscriptionService::Stub;

constexpr char kMode[] = "consume";
constexpr size_t kFixedArguments = 5;
constexpr int kHandlers = 4;
// A gateway is away for a while.
constexpr std::chrono::seconds kCallLimit(10);

std::unique_ptr<Stub> StubTo(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 50);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 50);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 200);
  return v1::SharedSubscriptionService::NewStub(
      grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments));
}

bool IsPoisoned(const std::string& event_id) {
  uint64_t sum = 7;
  for (const char letter : event_id) sum = sum * 31 + static_cast<unsigned char>(letter);
  return sum % 30 == 0;
}

// What a handler does with an event.
v1::Settlement Decide(const v1::LeasedSessionEvent& leased, std::mt19937_64* random) {
  v1::Settlement settlement;
  settlement.set_lease(leased.lease());
  const uint64_t draw = Draw(random, 100);
  if (IsPoisoned(leased.event().event_id()) && !leased.redriven()) {
    settlement.mutable_retry()->set_reason("poisoned");
    *settlement.mutable_retry()->mutable_delay() = ToDuration(absl::Milliseconds(50));
  } else if (draw < 8) {
    settlement.mutable_retry()->set_reason("no till");
    *settlement.mutable_retry()->mutable_delay() =
        ToDuration(absl::Milliseconds(static_cast<int64_t>(Draw(random, 400))));
  } else if (draw < 10) {
    settlement.mutable_park()->set_reason("cannot be read");
  } else if (draw < 14) {
    settlement.mutable_release();
  } else {
    settlement.mutable_acknowledge();
  }
  return settlement;
}

std::string NameOf(const v1::Settlement& settlement) {
  switch (settlement.action_case()) {
    case v1::Settlement::kAcknowledge:
      return "acknowledge";
    case v1::Settlement::kRetry:
      return "retry";
    case v1::Settlement::kPark:
      return "park";
    case v1::Settlement::kExtend:
      return "extend";
    case v1::Settlement::kRelease:
      return "release";
    default:
      return "";
  }
}

class Consumer {
 public:
  explicit Consumer(ConsumerOptions options)
      : options_(std::move(options)), journal_(options_.journal), random_(options_.seed) {
    for (const std::string& gateway : options_.gateways) stubs_.push_back(StubTo(gateway));
  }

  // For ever.
  [[noreturn]] void Run() {
    for (uint64_t i = 0; i < kHandlers; ++i) {
      handlers_.emplace_back([this, seed = options_.seed * 16 + i] { HandleAll(seed); });
    }
    while (true) {
      Receive();
      absl::SleepFor(absl::Milliseconds(static_cast<int64_t>(20 + Draw(&random_, 80))));
    }
  }

 private:
  void Receive() {
    grpc::ClientContext context;
    v1::ReceiveSessionEventsRequest request;
    request.set_subscription(options_.subscription);
    request.set_consumer(options_.name);
    request.set_max_in_flight(static_cast<int32_t>(1 + Draw(&random_, 12)));
    *request.mutable_heartbeat_interval() = ToDuration(absl::Seconds(1));
    const auto reader =
        stubs_[Draw(&random_, stubs_.size())]->ReceiveSessionEvents(&context, request);
    v1::ReceiveSessionEventsResponse message;
    while (reader->Read(&message)) {
      if (message.has_leased()) Take(message.leased());
    }
    const grpc::Status status = reader->Finish();
    if (!EndedWithTheGateway(status)) Complain("ReceiveSessionEvents", status);
  }

  void Take(const v1::LeasedSessionEvent& leased) {
    journal_.Note({.consumer = options_.name,
                   .event_id = leased.event().event_id(),
                   .session_id = leased.event().session_id(),
                   .lease = leased.lease(),
                   .received_at = absl::Now(),
                   .expires_at = FromTimestamp(leased.expires_at()),
                   .attempt = leased.attempt(),
                   .redriven = leased.redriven()});
    MutexLock lock(&mutex_);
    queue_.push_back(leased);
    changed_.Signal();
  }

  void HandleAll(uint64_t seed) {
    std::mt19937_64 random(seed);
    while (true) {
      v1::LeasedSessionEvent leased;
      {
        MutexLock lock(&mutex_);
        while (queue_.empty()) changed_.Wait(&mutex_);
        leased = std::move(queue_.front());
        queue_.pop_front();
      }
      Handle(leased, &random);
    }
  }

  void Handle(const v1::LeasedSessionEvent& leased, std::mt19937_64* random) {
    absl::SleepFor(absl::Milliseconds(static_cast<int64_t>(Draw(random, 25))));
    const uint64_t draw = Draw(random, 200);
    if (draw < 2) {  // slower than the lease
      absl::SleepFor(absl::Milliseconds(static_cast<int64_t>(5'000 + Draw(random, 2'000))));
    } else if (draw < 12) {
      v1::Settlement extension;
      extension.set_lease(leased.lease());
      *extension.mutable_extend()->mutable_by() = ToDuration(absl::Seconds(6));
      if (SettleUntilAnswered(extension, random) != v1::SETTLEMENT_OUTCOME_EXTENDED) return;
      if (draw < 4) absl::SleepFor(absl::Milliseconds(5'500));  // longer than the lease alone
    }
    const v1::Settlement settlement = Decide(leased, random);
    SettleUntilAnswered(settlement, random);
    // As if the answer had been lost.
    if (Draw(random, 5) == 0) SettleUntilAnswered(settlement, random);
    // Too late, or a mistake.
    if (settlement.has_retry() && Draw(random, 3) == 0) {
      v1::Settlement late;
      late.set_lease(leased.lease());
      late.mutable_acknowledge();
      SettleUntilAnswered(late, random);
    }
  }

  int SettleUntilAnswered(const v1::Settlement& settlement, std::mt19937_64* random) {
    const std::string action = NameOf(settlement);
    v1::SettleSessionEventsRequest request;
    request.set_subscription(options_.subscription);
    *request.add_settlements() = settlement;
    while (true) {
      journal_.NoteSent(settlement.lease(), action);
      grpc::ClientContext context;
      context.set_deadline(std::chrono::system_clock::now() + kCallLimit);
      v1::SettleSessionEventsResponse response;
      const grpc::Status status =
          stubs_[Draw(random, stubs_.size())]->SettleSessionEvents(&context, request, &response);
      if (status.ok() && response.results_size() == 1) {
        const v1::SettlementResult& result = response.results(0);
        journal_.NoteAnswer(settlement.lease(), action, result.outcome(),
                            FromTimestamp(result.expires_at()));
        return result.outcome();
      }
      if (!EndedWithTheGateway(status) &&
          status.error_code() != grpc::StatusCode::DEADLINE_EXCEEDED) {
        Complain("SettleSessionEvents", status);
      }
      absl::SleepFor(absl::Milliseconds(static_cast<int64_t>(20 + Draw(random, 100))));
    }
  }

  void Complain(const std::string& call, const grpc::Status& status) {
    const client::Error error = client::DecodeError(status);
    journal_.Complain(absl::StrCat(call, " of ", options_.name, ": ", client::CodeName(error.code),
                                   " ", error.reason, " ", error.message));
  }

  const ConsumerOptions options_;
  const Journal journal_;
  std::mt19937_64 random_;  // of the thread that receives
  std::vector<std::unique_ptr<Stub>> stubs_;
  std::vector<std::thread> handlers_;
  Mutex mutex_;
  CondVar changed_;
  std::deque<v1::LeasedSessionEvent> queue_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

std::vector<std::string> ArgumentsOf(const std::string& program, const ConsumerOptions& options) {
  std::vector<std::string> arguments = {program,         kMode,
                                        options.name,    options.subscription,
                                        options.journal, absl::StrCat(options.seed)};
  arguments.insert(arguments.end(), options.gateways.begin(), options.gateways.end());
  return arguments;
}

bool AreForConsumer(const std::vector<std::string>& arguments) {
  return arguments.size() > kFixedArguments && arguments[0] == kMode;
}

int ConsumerMain(const std::vector<std::string>& arguments) {
  ConsumerOptions options{.name = arguments[1],
                          .subscription = arguments[2],
                          .journal = arguments[3],
                          .seed = 0,
                          .gateways = {arguments.begin() + kFixedArguments, arguments.end()}};
  if (!absl::SimpleAtoi(arguments[4], &options.seed)) return 2;
  Consumer(std::move(options)).Run();
}

}  // namespace ipp::faults
