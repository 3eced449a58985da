// WatchSession: never behind the log, and alive.

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "server/base/error.h"
#include "server/store/message_size.h"
#include "tests/rpc/stream_bed.h"
#include "tests/support/fake_transport.h"
#include "tests/upstream/upstream_bed.h"

namespace ipp::rpc {
namespace {

using namespace fixtures;  // NOLINT: the words of these tests
using http::FakeTransport;
using sessions::SessionRecorder;

constexpr char kSessionId[] = "6f1c7a3e-4b1d-4c56-9d6b-0a2f5c1b7e90";
constexpr char kRequestId[] = "0a0b0c0d-0000-4000-8000-00000000000a";

class WatchStreamTest : public StreamBed {
 protected:
  WatchStreamTest() {
    EXPECT_TRUE(credentials_.Add("PM1", "", files_.Write("pm1", "kpk_test"), &clock_).ok());
    transport_->HandleWith([this](const http::HttpRequest&) { return Answer(); });
  }
  ~WatchStreamTest() override {
    channel_.reset();
    server_.reset();
    pumping_ = false;
    if (pump_.joinable()) pump_.join();
    transport_.reset();
    waits_.reset();
    hub_.reset();
    // The commits of reads refer to what goes before the store.
    EXPECT_TRUE(store::contract::Commit(store_, store::contract::Append("the end")).ok());
  }

  void Extend(Backends* backends) override {
    upstream::UpstreamOptions options;
    options.timeout = absl::Hours(1000);  // tests let the time run
    client_ = std::make_unique<upstream::UpstreamClient>(
        transport_.get(), &credentials_, routes_.get(), &clock_, &scheduler_, &metrics_, options);
    backends->upstream = client_.get();
    backends->observer = &observer_;
    waits_ = std::make_unique<creates::CreateWaits>(&replica_, &scheduler_);
    backends->create_waits = waits_.get();
    backends->reconciler = &reconciler_;
    pump_ = std::thread([this] {
      while (pumping_) {
        transport_->Run();
        std::this_thread::yield();
      }
    });
  }

  // What the upstream says; the last one for ever.
  void Says(std::vector<std::string> statuses) {
    MutexLock lock(&mutex_);
    says_ = std::move(statuses);
  }
  std::optional<http::HttpResult> Answer() {
    MutexLock lock(&mutex_);
    ++reads_;
    const std::string status = says_.front();
    if (says_.size() > 1) says_.erase(says_.begin());
    if (status == "404") return FakeTransport::Answered(404, "{}");
    return FakeTransport::Answered(
        200, absl::StrCat(R"({"session_id":")", kSessionId, R"(","status":")", status,
                          R"(","device_id":"d1","order_amount":1000,"merchant_data":")",
                          std::string(merchant_data_, 'x'), R"("})"));
  }
  int reads() {
    MutexLock lock(&mutex_);
    return reads_;
  }

  v1::Session Whole(v1::SessionStatus status) {
    v1::Session session;
    session.set_session_id(kSessionId);
    session.set_status(status);
    session.set_device_id("d1");
    session.set_order_amount(1000);
    if (status == v1::SESSION_STATUS_FINALIZED) session.set_order_id("order-1");
    return session;
  }
  void Record(sessions::SessionUpdate news) {
    news.merchant_id = "PM1";
    news.session_id = kSessionId;
    std::atomic<bool> done = false;
    recorder_.Record(std::move(news), [&](absl::StatusOr<sessions::Recorded> recorded) {
      EXPECT_TRUE(recorded.ok()) << recorded.status();
      done = true;
    });
    WaitUntil([&] { return done.load(); });
  }
  void Knows(v1::SessionStatus status) {
    sessions::SessionUpdate news;
    news.source = v1::SESSION_EVENT_SOURCE_RECONCILIATION;
    news.session = Whole(status);
    Record(std::move(news));
  }
  void Hears(v1::SessionEventType type, const std::string& id) {
    sessions::SessionUpdate news;
    news.source = v1::SESSION_EVENT_SOURCE_WEBHOOK;
    news.event_id = id;
    news.type = type;
    if (type == v1::SESSION_EVENT_TYPE_FINALIZED) news.order_id = "order-1";
    Record(std::move(news));
  }
  void PutIntent(store::IntentState state, const std::string& answer,
                 const std::string& session_id = "") {
    store::Transaction transaction;
    transaction.merchant_id = "PM1";
    transaction.request_id = kRequestId;
    transaction.decide = [=](const store::Snapshot&) {
      store::IntentRecord intent;
      intent.merchant_id = "PM1";
      intent.request_id = kRequestId;
      intent.rpc = "CreateSession";
      intent.state = state;
      intent.answer = answer;
      intent.session_id = session_id;
      return store::Writes{.intent = intent};
    };
    ASSERT_TRUE(store::contract::Commit(store_, std::move(transaction)).ok());
  }

  SessionWatch Watch(const std::string& request) {
    return SessionWatch(channel_, Text<v1::WatchSessionRequest>(request),
                        {.metadata = {{"x-merchant-id", "PM1"}}});
  }
  static std::string BySession() { return absl::StrCat("session_id: '", kSessionId, "'"); }
  static std::string ByRequest() { return absl::StrCat("request_id: '", kRequestId, "'"); }

  upstream::fixtures::KeyFiles files_;
  upstream::Credentials credentials_;
  Mutex mutex_;
  std::vector<std::string> says_ ABSL_GUARDED_BY(mutex_) = {"CREATED"};
  int reads_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t merchant_data_ = 0;
  std::unique_ptr<FakeTransport> transport_ = std::make_unique<FakeTransport>(&clock_);
  std::unique_ptr<creates::CreateWaits> waits_;
  std::unique_ptr<upstream::UpstreamClient> client_;
  SessionRecorder recorder_{&store_, &metrics_};
  sessions::ReadObserver observer_{&recorder_};
  sessions::Reconciler reconciler_{
      &store_, &recorder_,  [](const auto&, const auto&, const auto&, auto) {},
      &clock_, &scheduler_, &metrics_,
      {}};
  std::atomic<bool> pumping_ = true;
  std::thread pump_;
};

TEST_F(WatchStreamTest, EndsAtOnceWhenTheLogIsAheadOfTheUpstream) {
  Knows(v1::SESSION_STATUS_FINALIZED);
  Says({"ACTIVE"});
  Open();
  auto watch = Watch(BySession());
  EXPECT_EQ(watch.NextStep(), "FINALIZED");
  EXPECT_EQ(watch.session().order_id(), "order-1");
  EXPECT_EQ(watch.NextStep(), "end");
  EXPECT_TRUE(watch.End().code == grpc::StatusCode::OK);
}

TEST_F(WatchStreamTest, StartsWithTheLaterOfWhatIsReadAndWhatIsRecorded) {
  Hears(v1::SESSION_EVENT_TYPE_ACTIVATED, "kevt_1");
  Open();
  auto watch = Watch(BySession());
  EXPECT_EQ(watch.NextStep(), "ACTIVE");
  EXPECT_EQ(watch.session().order_amount(), 1000) << "what the upstream knows better";
  Hears(v1::SESSION_EVENT_TYPE_FINALIZED, "kevt_2");
  EXPECT_EQ(watch.NextStep(), "FINALIZED");
}

TEST_F(WatchStreamTest, ReadsOnceMoreWhenTwoEndsDisagree) {
  Knows(v1::SESSION_STATUS_CANCELLED);
  Says({"FINALIZED", "CANCELLED"});
  Open();
  auto watch = Watch(BySession());
  EXPECT_EQ(watch.NextStep(), "CANCELLED");
  EXPECT_EQ(reads(), 2);
}

TEST_F(WatchStreamTest, ShowsTheEndOfASessionThatTheUpstreamHasForgotten) {
  Knows(v1::SESSION_STATUS_FINALIZED);
  Says({"404"});
  Open();
  auto watch = Watch(BySession());
  EXPECT_EQ(watch.NextStep(), "FINALIZED");
  EXPECT_TRUE(watch.End().code == grpc::StatusCode::OK);
}

TEST_F(WatchStreamTest, EndsWithTheRefusalOfTheCreate) {
  Open();
  const std::string refusal =
      SerializeError(MakeError(absl::StatusCode::kInvalidArgument, "no such device",
                               {.reason = "UPSTREAM_REFUSED",
                                .metadata = {{"outcome", "REJECTED"}},
                                .violations = {},
                                .retry_after = std::nullopt}));
  auto early = Watch(ByRequest());
  PutIntent(store::IntentState::kUnderWay, "");
  PutIntent(store::IntentState::kRejected, refusal);
  auto late = Watch(ByRequest());
  EXPECT_EQ(late.End().code, grpc::StatusCode::INVALID_ARGUMENT);
  std::atomic<bool> over = false;
  std::thread time([&] { AdvanceUntil([&] { return over.load(); }); });
  EXPECT_EQ(early.End().message, "no such device");
  over = true;
  time.join();
}

TEST_F(WatchStreamTest, FindsTheSessionThatTheLedgerNames) {
  PutIntent(store::IntentState::kExecuted, "", kSessionId);
  Open();
  EXPECT_EQ(Watch(ByRequest()).NextStep(), "CREATED");
}

TEST_F(WatchStreamTest, BeatsWithTheSessionAsItIsKnown) {
  Open();
  auto watch = Watch(absl::StrCat(BySession(), " heartbeat_interval { seconds: 2 }"));
  EXPECT_EQ(watch.NextStep(), "CREATED");
  for (int i = 0; i < 2; ++i) {
    std::atomic<bool> came = false;
    std::thread time([&] { AdvanceUntil([&] { return came.load(); }); });
    const auto beat = watch.NextMessage();
    came = true;
    time.join();
    ASSERT_TRUE(beat);
    EXPECT_TRUE(beat->heartbeat());
    EXPECT_EQ(beat->session().status(), v1::SESSION_STATUS_CREATED);
    EXPECT_EQ(beat->session().order_amount(), 1000);
  }
}

TEST_F(WatchStreamTest, BeatsWithoutASessionWhileItWaitsForOne) {
  Open();
  auto watch = Watch(absl::StrCat(ByRequest(), " heartbeat_interval { seconds: 2 }"));
  std::atomic<bool> came = false;
  std::thread time([&] { AdvanceUntil([&] { return came.load(); }); });
  const auto beat = watch.NextMessage();
  ASSERT_TRUE(beat);
  EXPECT_TRUE(beat->heartbeat());
  EXPECT_FALSE(beat->has_session());
  PutIntent(store::IntentState::kExecuted, "", kSessionId);
  EXPECT_EQ(watch.NextStep(), "CREATED");
  came = true;
  time.join();
}

TEST_F(WatchStreamTest, RepeatsNoStatusForDetails) {
  Hears(v1::SESSION_EVENT_TYPE_CREATED, "kevt_1");
  Says({"404", "CREATED"});
  Open();
  Says({"CREATED"});
  auto watch = Watch(BySession());
  EXPECT_EQ(watch.NextStep(), "CREATED");
  // The read of the watch has completed the record, and DETAILS are in the log.
  WaitUntil([&] { return store_.events().size() == 2; });
  EXPECT_EQ(store_.events()[1].type(), v1::SESSION_EVENT_TYPE_DETAILS);
  Hears(v1::SESSION_EVENT_TYPE_ACTIVATED, "kevt_2");
  EXPECT_EQ(watch.NextStep(), "ACTIVE");
}

TEST_F(WatchStreamTest, LeavesOutWhatNoReaderTakes) {
  merchant_data_ = 5 << 20;
  Open();
  auto watch = Watch(BySession());
  const auto first = watch.NextMessage();
  ASSERT_TRUE(first) << watch.End().message;
  EXPECT_TRUE(first->session_truncated());
  EXPECT_EQ(first->session().order_amount(), 1000);
  EXPECT_LE(first->ByteSizeLong(), store::kMaxEventBytes + 100);
  Hears(v1::SESSION_EVENT_TYPE_ACTIVATED, "kevt_1");
  const auto step = watch.NextMessage();
  ASSERT_TRUE(step);
  EXPECT_TRUE(step->session_truncated());
}

// A default client takes 4 MiB.
TEST_F(WatchStreamTest, LetsASubscriberPassASessionOfFiveMebibytes) {
  sessions::SessionUpdate news;
  news.source = v1::SESSION_EVENT_SOURCE_RECONCILIATION;
  news.session = Whole(v1::SESSION_STATUS_CREATED);
  for (int i = 0; i < 1000; ++i) {
    news.session->add_order_items()->set_name(std::string(5 << 10, 'x'));
  }
  Record(std::move(news));
  Hears(v1::SESSION_EVENT_TYPE_ACTIVATED, "kevt_1");
  Open();
  EventFeed feed(channel_, kFromOldest, {.metadata = {{"x-merchant-id", "PM1"}}});
  for (const auto type : {v1::SESSION_EVENT_TYPE_CREATED, v1::SESSION_EVENT_TYPE_ACTIVATED}) {
    const v1::SessionEvent event = feed.NextEvent();
    EXPECT_EQ(event.type(), type);
    EXPECT_TRUE(event.session_truncated());
    EXPECT_EQ(event.session().device_id(), "d1");
    EXPECT_EQ(event.session().order_items_size(), 0);
  }
}

}  // namespace
}  // namespace ipp::rpc
