#include "simulator/webhook_queue.h"

#include <memory>
#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ipp::simulator {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;

// Keeps what is posted until the test answers it.
class FakeTransport : public WebhookTransport {
 public:
  void Post(WebhookRequest request, Done done) override {
    posted.push_back(request.url.text + " " + request.body);
    ids.push_back(request.webhook_id);
    waiting.emplace_back(request.body, std::move(done));
  }

  // Answers the oldest waiting attempt with that body.
  void Answer(const std::string& body, int status) {
    for (auto it = waiting.begin(); it != waiting.end(); ++it) {
      if (it->first != body) continue;
      const Done done = std::move(it->second);
      waiting.erase(it);
      return done({.status = status});
    }
    FAIL() << body << " is not under way";
  }

  std::vector<std::string> posted;
  std::vector<std::string> ids;
  std::vector<std::pair<std::string, Done>> waiting;
};

class SimulatorWebhookQueue : public testing::Test {
 protected:
  SimulatorWebhookQueue() { Make({}); }

  void Make(const WebhookQueue::Options& options) {
    WebhookSigner signer;
    signer.AddSecret("whsec_YQ==");
    queue_ = std::make_unique<WebhookQueue>(
        options, signer, transport_,
        [this](milliseconds delay, std::function<void()> callback) {
          delays_.push_back(delay.count());
          timers_.push_back(std::move(callback));
        },
        ids_, faults_, dialects_);
    SetUrls({"http://a/"});
  }

  void SetUrls(const std::vector<std::string>& texts) {
    std::vector<Url> urls;
    for (const auto& text : texts) urls.push_back(*Url::Parse(text));
    queue_->SetDestinations(urls);
  }

  // The body doubles as the event's name.
  void Enqueue(const std::string& session, const std::string& body) {
    WebhookEvent event;
    event.id = "kevt_" + body;
    event.session_id = session;
    event.body = body;
    queue_->Enqueue(event);
  }

  void Rule(const std::string& rule) {
    const auto document = Body::Parse(rule);
    faults_.Append(*document);
    ASSERT_TRUE(document->errors().empty());
  }

  void FireTimer() {
    const auto callback = std::move(timers_.back());
    timers_.pop_back();
    callback();
  }

  IdMaker ids_;
  Faults faults_{{}};
  Dialects dialects_;
  FakeTransport transport_;
  std::vector<int64_t> delays_;
  std::vector<std::function<void()>> timers_;
  std::unique_ptr<WebhookQueue> queue_;
};

TEST_F(SimulatorWebhookQueue, KeepsTheOrderOfASession) {
  Enqueue("s1", "1");
  Enqueue("s1", "2");
  Enqueue("s2", "3");
  EXPECT_THAT(transport_.posted, ElementsAre("http://a/ 1", "http://a/ 3"));
  transport_.Answer("1", 500);
  FireTimer();
  EXPECT_THAT(transport_.posted, ElementsAre("http://a/ 1", "http://a/ 3", "http://a/ 1"));
  transport_.Answer("1", 204);
  EXPECT_EQ(transport_.posted.back(), "http://a/ 2");
}

TEST_F(SimulatorWebhookQueue, SendsAllAtOnceWhenUnordered) {
  WebhookQueue::Options options;
  options.ordered_by_session = false;
  Make(options);
  Enqueue("s1", "1");
  Enqueue("s1", "2");
  EXPECT_THAT(transport_.posted, ElementsAre("http://a/ 1", "http://a/ 2"));
}

TEST_F(SimulatorWebhookQueue, DoublesTheWaitUpToAMinute) {
  Enqueue("s1", "1");
  for (int i = 0; i < 8; ++i) {
    transport_.Answer("1", i % 2 == 0 ? 503 : 0);
    FireTimer();
  }
  EXPECT_THAT(delays_, ElementsAre(1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000));
  EXPECT_THAT(std::set<std::string>(transport_.ids.begin(), transport_.ids.end()).size(), 1u);
}

TEST_F(SimulatorWebhookQueue, GivesUpAfterThreeDaysAndGoesOnWithTheNext) {
  Enqueue("s1", "1");
  Enqueue("s1", "2");
  int64_t attempts = 1;
  for (transport_.Answer("1", 500); !timers_.empty(); ++attempts) {
    FireTimer();
    transport_.Answer("1", 500);
  }
  EXPECT_GE(attempts, 3 * 24 * 60);
  EXPECT_LE(attempts, 3 * 24 * 60 + 8);
  EXPECT_EQ(transport_.posted.back(), "http://a/ 2");
  EXPECT_THAT(queue_->RenderDeliveries(0, 100, ""), testing::HasSubstr(R"("state":"given_up")"));
}

class SimulatorWebhookRetry : public SimulatorWebhookQueue,
                              public testing::WithParamInterface<std::pair<int, bool>> {};

TEST_P(SimulatorWebhookRetry, ComesAfterAllBut2xx) {
  const auto [status, retried] = GetParam();
  Enqueue("s1", "1");
  transport_.Answer("1", status);
  EXPECT_EQ(timers_.size(), retried ? 1u : 0u);
}

INSTANTIATE_TEST_SUITE_P(Statuses, SimulatorWebhookRetry,
                         testing::Values(std::pair(200, false), std::pair(202, false),
                                         std::pair(299, false), std::pair(0, true),
                                         std::pair(301, true), std::pair(400, true),
                                         std::pair(401, true), std::pair(410, true),
                                         std::pair(503, true)));

TEST_F(SimulatorWebhookQueue, ReachesEveryDestination) {
  SetUrls({"http://a/", "http://b/", "http://a/"});
  Enqueue("s1", "1");
  EXPECT_THAT(transport_.posted, ElementsAre("http://a/ 1", "http://b/ 1"));
  EXPECT_NE(transport_.ids[0], transport_.ids[1]);
}

TEST_F(SimulatorWebhookQueue, DropsWhatIsDueToARemovedDestination) {
  Enqueue("s1", "1");
  Enqueue("s1", "2");
  SetUrls({"http://b/"});
  transport_.Answer("1", 500);
  EXPECT_THAT(timers_, IsEmpty());
  EXPECT_THAT(transport_.posted, ElementsAre("http://a/ 1"));
  Enqueue("s1", "3");
  EXPECT_EQ(transport_.posted.back(), "http://b/ 3");
}

TEST_F(SimulatorWebhookQueue, ForgetsAWaitingRetryToARemovedDestination) {
  Enqueue("s1", "1");
  transport_.Answer("1", 500);
  SetUrls({});
  FireTimer();
  EXPECT_THAT(transport_.posted, ElementsAre("http://a/ 1"));
}

TEST_F(SimulatorWebhookQueue, LimitsTheAttemptsAtOnce) {
  WebhookQueue::Options options;
  options.attempts_at_once = 2;
  Make(options);
  for (const std::string body : {"1", "2", "3"}) Enqueue("s" + body, body);
  EXPECT_THAT(transport_.posted, ElementsAre("http://a/ 1", "http://a/ 2"));
  transport_.Answer("2", 200);
  EXPECT_EQ(transport_.posted.back(), "http://a/ 3");
}

TEST_F(SimulatorWebhookQueue, DropsWhatADeadReceiverLeavesBeyondItsBound) {
  WebhookQueue::Options options;
  options.max_undelivered = 2;
  Make(options);
  for (const std::string body : {"1", "2", "3"}) Enqueue("s1", body);
  EXPECT_THAT(queue_->RenderDeliveries(0, 100, "dropped"), testing::HasSubstr("kevt_3"));
  transport_.Answer("1", 200);
  Enqueue("s1", "4");
  transport_.Answer("2", 200);
  transport_.Answer("4", 200);
}

TEST_F(SimulatorWebhookQueue, LetsOthersOvertakeALateOne) {
  Rule(R"({"on":"webhook","do":"late","delay_ms":70})");
  Enqueue("s1", "1");
  Enqueue("s1", "2");
  Enqueue("s1", "3");
  EXPECT_THAT(delays_, ElementsAre(70));
  EXPECT_THAT(transport_.posted, ElementsAre("http://a/ 2"));
  FireTimer();
  transport_.Answer("2", 200);
  transport_.Answer("3", 200);
  EXPECT_THAT(transport_.posted, ElementsAre("http://a/ 2", "http://a/ 3", "http://a/ 1"));
}

TEST_F(SimulatorWebhookQueue, ReordersBehindTheNextThatIsTaken) {
  Enqueue("s0", "0");
  Rule(R"({"on":"webhook","do":"reorder","delay_ms":70})");
  Enqueue("s1", "1");
  Enqueue("s2", "2");
  transport_.Answer("0", 200);  // an earlier one
  transport_.Answer("2", 500);
  EXPECT_THAT(transport_.posted, ElementsAre("http://a/ 0", "http://a/ 2"));
  FireTimer();  // 2's retry
  transport_.Answer("2", 200);
  EXPECT_EQ(transport_.posted.back(), "http://a/ 1");
  FireTimer();  // what was to end the wait: nothing to do any more
  EXPECT_EQ(transport_.posted.size(), 4u);
}

TEST_F(SimulatorWebhookQueue, DropsWhatIsHeldForARemovedDestination) {
  Rule(R"({"on":"webhook","do":"late","delay_ms":70})");
  Enqueue("s1", "1");
  SetUrls({"http://b/"});
  FireTimer();
  EXPECT_THAT(transport_.posted, IsEmpty());
  EXPECT_THAT(queue_->RenderDeliveries(0, 100, "dropped"), testing::HasSubstr("kevt_1"));
}

TEST_F(SimulatorWebhookQueue, SendsATwinThatWaitsForNobody) {
  Rule(R"({"on":"webhook","do":"double"})");
  Enqueue("s1", "1");
  Enqueue("s1", "2");
  EXPECT_THAT(transport_.posted, ElementsAre("http://a/ 1", "http://a/ 1"));
  EXPECT_EQ(transport_.ids[0], transport_.ids[1]);
  transport_.Answer("1", 500);
  transport_.Answer("1", 200);
  EXPECT_EQ(transport_.posted.size(), 2u);
  FireTimer();
  transport_.Answer("1", 200);
  EXPECT_EQ(transport_.posted.back(), "http://a/ 2");
}

TEST_F(SimulatorWebhookQueue, SendsAgainOnDemand) {
  SetUrls({"http://a/", "http://b/"});
  Enqueue("s1", "1");
  transport_.Answer("1", 200);  // a's; b's is still under way
  EXPECT_TRUE(queue_->Resend("kevt_1"));
  EXPECT_THAT(transport_.posted, ElementsAre("http://a/ 1", "http://b/ 1", "http://a/ 1"));
  EXPECT_EQ(transport_.ids[0], transport_.ids[2]);
  transport_.Answer("1", 200);  // b's first
  EXPECT_EQ(transport_.posted.back(), "http://b/ 1");
  SetUrls({"http://c/"});
  EXPECT_TRUE(queue_->Resend("kevt_1"));
  EXPECT_EQ(transport_.posted.back(), "http://c/ 1");
  EXPECT_FALSE(queue_->Resend("kevt_2"));
}

}  // namespace
}  // namespace ipp::simulator
