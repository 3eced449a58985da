// What every HttpTransport owes its caller, over the real ones on each kind of connection and over
// the fake that the tests of other modules use.

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/http/http_upstream.h"
#include "tests/support/fake_transport.h"

namespace ipp::http {
namespace {

struct Limits {
  size_t max_in_flight = 512;
  absl::Duration mutation_limit = absl::Seconds(60);
};

// A transport and the upstream behind it. A request for /hold waits for Release(); any other is
// answered with 200 "ok", or 404 "gone" for /missing, and a header X-Kind: a b.
class World {
 public:
  virtual ~World() = default;
  HttpTransport& transport() { return *transport_; }
  virtual void EndTransport() { transport_.reset(); }
  virtual std::vector<std::string> Seen() = 0;  // "POST /x body"
  virtual void WaitForRequests(size_t count) = 0;
  virtual void Release() = 0;  // all that wait, with 200 "late"

 protected:
  std::unique_ptr<HttpTransport> transport_;
};

class RealWorld final : public World {
 public:
  RealWorld(Wire wire, const Limits& limits)
      : upstream_(wire, [this](const GateRequest& request, GatePeer& peer) {
          const bool hold = request.target == "/hold";
          if (hold) release_.Wait();
          const bool missing = request.target == "/missing";
          peer.Respond(missing ? 404 : 200,
                       hold      ? "late"
                       : missing ? "gone"
                                 : "ok",
                       "X-Kind: a b\r\n");
        }) {
    upstream_.options.max_in_flight = limits.max_in_flight;
    upstream_.options.mutation_limit = limits.mutation_limit;
    transport_ = upstream_.NewTransport();
  }
  ~RealWorld() override {
    release_.Set();
    transport_.reset();  // before the metrics that it counts with
  }

  std::vector<std::string> Seen() override {
    std::vector<std::string> seen;
    for (const GateRequest& request : upstream_.gate.requests()) {
      seen.push_back(absl::StrCat(request.method, " ", request.target, " ", request.body));
    }
    return seen;
  }
  void WaitForRequests(size_t count) override { upstream_.gate.WaitForRequests(count); }
  void Release() override { release_.Set(); }

 private:
  Event release_;
  HttpUpstream upstream_;
};

class FakeWorld final : public World {
 public:
  explicit FakeWorld(const Limits& limits) {
    auto fake =
        std::make_unique<FakeTransport>(Clock::Real(), limits.max_in_flight, limits.mutation_limit);
    fake_ = fake.get();
    fake_->HandleWith([](const HttpRequest& request) -> std::optional<HttpResult> {
      if (request.target == "/hold") return std::nullopt;
      const bool missing = request.target == "/missing";
      return FakeTransport::Answered(missing ? 404 : 200, missing ? "gone" : "ok",
                                     {{"x-kind", "a b"}});
    });
    transport_ = std::move(fake);
    thread_ = std::thread([this] {
      while (!stop_) {
        fake_->Run();
        std::this_thread::yield();
      }
    });
  }
  ~FakeWorld() override { StopThread(); }

  void EndTransport() override {
    StopThread();
    World::EndTransport();
  }
  std::vector<std::string> Seen() override {
    std::vector<std::string> seen;
    for (const HttpRequest& request : fake_->requests()) {
      seen.push_back(absl::StrCat(request.method, " ", request.target, " ", request.body));
    }
    return seen;
  }
  void WaitForRequests(size_t count) override {
    while (fake_->requests().size() < count) std::this_thread::yield();
  }
  void Release() override {
    while (fake_->Release(FakeTransport::Answered(200, "late"))) {
    }
  }

 private:
  void StopThread() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  FakeTransport* fake_ = nullptr;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

struct Kind {
  const char* name;
  std::unique_ptr<World> (*make)(const Limits& limits);
};

template <Wire wire>
std::unique_ptr<World> MakeReal(const Limits& limits) {
  return std::make_unique<RealWorld>(wire, limits);
}

class TransportContract : public testing::TestWithParam<Kind> {
 protected:
  void Start(const Limits& limits = {}) { world_ = GetParam().make(limits); }
  HttpTransport& transport() { return world_->transport(); }

  // A deadline that passes while the upstream holds the request: on a slow machine the request has
  // to get there first, so with more and more time.
  HttpResult ReadPastDeadline() {
    for (absl::Duration limit = absl::Milliseconds(50);; limit *= 2) {
      HttpResult result = Call(transport(), Get("/hold", absl::Now() + limit));
      if (result.fate != RequestFate::kNotSent) return result;
    }
  }

  std::unique_ptr<World> world_;
};

TEST_P(TransportContract, TellsTheAnswerWhateverItsCode) {
  Start();
  const HttpResult found = Call(transport(), Get("/a?b=c%20d"));
  EXPECT_TRUE(found.status.ok()) << found.status;
  EXPECT_EQ(found.fate, RequestFate::kSent);
  EXPECT_EQ(found.response.code, 200);
  EXPECT_EQ(found.response.body, "ok");
  EXPECT_EQ(found.response.header("x-kind"), "a b");
  EXPECT_EQ(found.response.header("x-none"), "");

  const HttpResult missing = Call(transport(), Get("/missing"));
  EXPECT_TRUE(missing.status.ok()) << missing.status;
  EXPECT_EQ(missing.response.code, 404);
  EXPECT_EQ(missing.response.body, "gone");
}

TEST_P(TransportContract, SendsWhatItIsGiven) {
  Start();
  const std::vector<HttpRequest> requests = {
      Get("/a?b=c%20d&e=%2F"),
      Post("/p", "{\"x\":1}"),
      Post("/empty", ""),
      {"PUT", "/put", {}, std::string(3'000'000, 'x'), Repeatable::kHarmless},
      {"PUT", "/cancel", {}, "", Repeatable::kNo},
      {"DELETE", "/d", {}, "", Repeatable::kHarmless},
      Get("/last"),
  };
  std::vector<std::string> expected;
  for (const HttpRequest& request : requests) {
    EXPECT_EQ(Call(transport(), request).response.code, 200) << request.target;
    expected.push_back(absl::StrCat(request.method, " ", request.target, " ", request.body));
  }
  EXPECT_TRUE(world_->Seen() == expected);  // not EXPECT_EQ: it would print the long one
}

TEST_P(TransportContract, RunsDoneOnAThreadOfItsOwn) {
  Start();
  Completion completion;
  transport().Send(Get("/"), completion.done());
  completion.Wait();
  EXPECT_NE(completion.thread(), std::this_thread::get_id());
}

TEST_P(TransportContract, SaysHowManyCanBeUnderWayAtOnce) {
  Start();
  EXPECT_GE(transport().concurrency(), 1);
  ASSERT_TRUE(Call(transport(), Get("/")).status.ok());
  const bool multiplexes = absl::StrContains(GetParam().name, "Http2");
  if (multiplexes) {
    EXPECT_GE(transport().concurrency(), 100);
  } else if (absl::StartsWith(GetParam().name, "Curl")) {
    EXPECT_LE(transport().concurrency(), 16) << "one a connection";
  }
}

TEST_P(TransportContract, LetsDoneSendAgain) {
  Start({.max_in_flight = 1});
  Completion last;
  std::function<void(int)> chain = [&](int left) {
    if (left == 0) {
      transport().Send(Get("/end"), last.done());
      return;
    }
    transport().Send(Get("/step"), [&chain, left](HttpResult result) {
      EXPECT_EQ(result.response.code, 200) << result.status;
      chain(left - 1);
    });
  };
  chain(20);
  EXPECT_EQ(last.Wait().response.code, 200);
  EXPECT_EQ(world_->Seen().size(), 21u);
}

TEST_P(TransportContract, DropsWhatIsLateBeforeItIsSent) {
  Start();
  for (const Repeatable repeatable : {Repeatable::kYes, Repeatable::kNo}) {
    HttpRequest request = Get("/", absl::Now() - absl::Seconds(1));
    request.repeatable = repeatable;
    const HttpResult result = Call(transport(), request);
    EXPECT_EQ(result.status.code(), absl::StatusCode::kDeadlineExceeded);
    EXPECT_EQ(result.fate, RequestFate::kNotSent);
  }
  EXPECT_TRUE(world_->Seen().empty());
}

TEST_P(TransportContract, EndsAReadAtItsDeadline) {
  Start();
  const HttpResult result = ReadPastDeadline();
  EXPECT_EQ(result.status.code(), absl::StatusCode::kDeadlineExceeded) << result.status;
  EXPECT_EQ(result.fate, RequestFate::kUnknown);
}

// A lone request is sent by the thread that asks for it while the transport's own thread sleeps,
// perhaps for longer than the request may take.
TEST_P(TransportContract, EndsALoneReadAtItsDeadline) {
  Start();
  ASSERT_TRUE(Call(transport(), Get("/", absl::Now() + absl::Minutes(5))).status.ok());
  const HttpResult result = ReadPastDeadline();
  EXPECT_EQ(result.status.code(), absl::StatusCode::kDeadlineExceeded) << result.status;
  EXPECT_EQ(result.fate, RequestFate::kUnknown);
}

TEST_P(TransportContract, LetsAChangeGoOnPastItsDeadline) {
  Start();
  EXPECT_EQ(Call(transport(), Get("/")).response.code, 200);  // the connection is up
  const absl::Time deadline = absl::Now() + absl::Seconds(1);
  Completion change;
  transport().Send(Post("/hold", "{}", deadline), change.done());
  world_->WaitForRequests(2);
  const HttpResult read = Call(transport(), Get("/hold", deadline + absl::Milliseconds(50)));
  EXPECT_EQ(read.status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(change.runs(), 0);
  world_->Release();
  const HttpResult result = change.Wait();
  EXPECT_TRUE(result.status.ok()) << result.status;
  EXPECT_EQ(result.response.body, "late");
}

TEST_P(TransportContract, EndsAChangeAtItsTimeLimit) {
  Start({.mutation_limit = absl::Milliseconds(50)});
  const HttpResult result = Call(transport(), Post("/hold", "{}"));
  EXPECT_EQ(result.status.code(), absl::StatusCode::kDeadlineExceeded) << result.status;
  EXPECT_EQ(result.fate, RequestFate::kUnknown);
}

TEST_P(TransportContract, CancelsWhatMayBeCancelled) {
  Start();
  for (const Repeatable repeatable : {Repeatable::kYes, Repeatable::kHarmless}) {
    HttpRequest request = Get("/hold");
    request.repeatable = repeatable;
    const size_t before = world_->Seen().size();
    Completion completion;
    const auto call = transport().Send(request, completion.done());
    world_->WaitForRequests(before + 1);
    call->Cancel();
    const HttpResult result = completion.Wait();
    EXPECT_EQ(result.status.code(), absl::StatusCode::kCancelled) << result.status;
    EXPECT_EQ(result.fate, RequestFate::kUnknown);
  }
}

TEST_P(TransportContract, TellsTheResultOfAChangeThatWasCancelledTooLate) {
  Start();
  Completion completion;
  const auto call = transport().Send(Post("/hold", "{}"), completion.done());
  world_->WaitForRequests(1);
  call->Cancel();
  EXPECT_EQ(Call(transport(), Get("/")).response.code, 200);  // the cancellation was looked at
  EXPECT_EQ(completion.runs(), 0);
  world_->Release();
  EXPECT_EQ(completion.Wait().response.body, "late");
}

TEST_P(TransportContract, TakesACancelAtAnyTime) {
  Start();
  Completion completion;
  const auto call = transport().Send(Get("/"), completion.done());
  completion.Wait();
  call->Cancel();
  EXPECT_EQ(Call(transport(), Get("/")).response.code, 200);
  world_->EndTransport();
  call->Cancel();
  EXPECT_EQ(completion.runs(), 1);
}

// From several threads, each of which sends one to three at a time, so that a request is alone now
// and then.
TEST_P(TransportContract, ServesLoneRequestsAndCrowds) {
  Start();
  constexpr int kThreads = 3;
  constexpr int kRounds = 100;
  std::atomic<int> sent{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::minstd_rand random(t + 1);
      for (int round = 0; round < kRounds; ++round) {
        std::vector<Completion> completions(1 + random() % 3);
        for (Completion& completion : completions) {
          transport().Send(random() % 2 == 0 ? Get("/") : Post("/", "{}"), completion.done());
          ++sent;
        }
        for (Completion& completion : completions) {
          EXPECT_EQ(completion.Wait().response.code, 200) << completion.Wait().status;
          EXPECT_NE(completion.thread(), std::this_thread::get_id());
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(world_->Seen().size(), static_cast<size_t>(sent));
}

TEST_P(TransportContract, RefusesMoreThanAllowed) {
  Start({.max_in_flight = 2});
  Completion held[2];
  for (Completion& completion : held) transport().Send(Get("/hold"), completion.done());
  const HttpResult refused = Call(transport(), Get("/more"));
  EXPECT_EQ(refused.status.code(), absl::StatusCode::kResourceExhausted) << refused.status;
  EXPECT_EQ(refused.fate, RequestFate::kNotSent);
  world_->WaitForRequests(2);
  world_->Release();
  for (Completion& completion : held) EXPECT_EQ(completion.Wait().response.body, "late");
  EXPECT_EQ(Call(transport(), Get("/")).response.code, 200);
}

TEST_P(TransportContract, EndsWhatIsUnderWayWhenItEnds) {
  Start();
  Completion reads[3];
  Completion changes[3];
  for (int i = 0; i < 3; ++i) {
    transport().Send(Get("/hold"), reads[i].done());
    transport().Send(Post("/hold", "{}"), changes[i].done());
  }
  world_->WaitForRequests(1);
  world_->EndTransport();
  int unknown = 0;
  for (const Completion* list : {reads, changes}) {
    for (int i = 0; i < 3; ++i) {
      ASSERT_EQ(list[i].runs(), 1);
      Completion completion = list[i];
      EXPECT_EQ(completion.Wait().status.code(), absl::StatusCode::kCancelled);
      unknown += completion.Wait().fate == RequestFate::kUnknown ? 1 : 0;
    }
  }
  EXPECT_GE(unknown, 1);
}

TEST_P(TransportContract, SaysNoToWhatIsSentWhileItEnds) {
  Start();
  Completion late;
  Completion held;
  HttpTransport& ending = transport();
  ending.Send(Get("/hold"), [&, done = held.done()](HttpResult result) mutable {
    ending.Send(Get("/late"), late.done());
    std::move(done)(std::move(result));
  });
  world_->WaitForRequests(1);
  world_->EndTransport();
  EXPECT_EQ(held.runs(), 1);
  ASSERT_EQ(late.runs(), 1);
  EXPECT_EQ(late.Wait().status.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(late.Wait().fate, RequestFate::kNotSent);
}

INSTANTIATE_TEST_SUITE_P(Every, TransportContract,
                         testing::Values(Kind{"Fake",
                                              [](const Limits& limits) -> std::unique_ptr<World> {
                                                return std::make_unique<FakeWorld>(limits);
                                              }},
                                         Kind{"CurlHttp1", &MakeReal<Wire::kHttp1>},
                                         Kind{"CurlHttp1Tls", &MakeReal<Wire::kHttp1Tls>},
                                         Kind{"CurlHttp2Tls", &MakeReal<Wire::kHttp2Tls>},
                                         Kind{"Http2", &MakeReal<Wire::kHttp2Transport>},
                                         Kind{"Fallback", &MakeReal<Wire::kFallback>},
                                         Kind{"Proxied", &MakeReal<Wire::kProxied>},
                                         Kind{"ProxiedHttp2", &MakeReal<Wire::kProxiedHttp2>}),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace ipp::http
