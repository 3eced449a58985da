#include "server/upstream/session_reader.h"

#include <atomic>
#include <deque>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tests/upstream/client_bed.h"

namespace ipp::upstream {
namespace {

using absl::Seconds;
using absl::StatusCode;
using namespace fixtures;  // NOLINT: the words of these tests
using testing::IsEmpty;
using testing::IsSupersetOf;
using testing::Pair;
using testing::SizeIs;

using Answer = absl::StatusOr<SessionRead>;

std::string Body(const std::string& status, const std::string& session_id = kId) {
  return absl::StrCat(R"({"session_id":")", session_id, R"(","status":")", status,
                      R"(","order_amount":25000})");
}

class SessionReaderTest : public UpstreamBed {
 protected:
  // How long a read may take, retries counted in.
  static constexpr absl::Duration kLimit = Seconds(10);

  ~SessionReaderTest() override { own_transport_.reset(); }

  void Start(const std::string& merchant_id = "PM1", const std::string& session_id = kId) {
    inside_ = true;
    reader_.Read(merchant_id, session_id, trace_, [this](Answer answer) {
      EXPECT_FALSE(inside_) << "answered inside the call";
      answers_.push_back(std::move(answer));
    });
    inside_ = false;
  }
  // One read, with all its pauses.
  Answer Read(const std::string& merchant_id = "PM1", const std::string& session_id = kId) {
    answers_.clear();
    Start(merchant_id, session_id);
    Finish();
    EXPECT_THAT(answers_, SizeIs(1));
    return answers_.empty() ? Answer(absl::InternalError("no answer")) : answers_[0];
  }
  void Finish() {
    while (transport_.RunAll() > 0 || scheduler_.NextDelay() < absl::InfiniteDuration()) {
      scheduler_.Advance(std::min(scheduler_.NextDelay(), Seconds(1)));
    }
  }
  void CancelAll() {
    inside_ = true;
    reader_.CancelAll();
    inside_ = false;
  }

  SessionReader reader_{client_.get(), &Routes(), &clock_, kLimit};
  TraceContext trace_;
  std::vector<Answer> answers_;
  bool inside_ = false;
};

// ---- What it asks. ----

TEST_F(SessionReaderTest, AsksAsAPartOfTheTraceItIsGiven) {
  trace_ = {.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            .tracestate = "vendor=1"};
  transport_.Answer(200, Body("ACTIVE"));
  ASSERT_TRUE(Read().ok());
  EXPECT_THAT(transport_.requests().at(0).headers,
              IsSupersetOf({Pair("traceparent", trace_.traceparent),
                            Pair("tracestate", trace_.tracestate)}));
}

TEST_F(SessionReaderTest, AsksForTheSessionWithTheKeyOfItsMerchant) {
  transport_.Answer(200, Body("ACTIVE"));
  ASSERT_TRUE(Read().ok());
  transport_.Answer(200, Body("ACTIVE"));
  ASSERT_TRUE(Read("PM2").ok());
  ASSERT_THAT(transport_.requests(), SizeIs(2));
  const http::HttpRequest first = transport_.requests()[0];
  EXPECT_EQ(first.method, "GET");
  EXPECT_EQ(first.target, absl::StrCat("/ipp/v1/sessions/", kId));
  EXPECT_NE(first.headers, transport_.requests()[1].headers);
  EXPECT_EQ(Count("GetSession", "ok"), 2);
}

TEST_F(SessionReaderTest, GivesItsLimitToOneReadWithAllItsRetries) {
  transport_.Answer(503);
  transport_.Hold();
  const absl::Time start = clock_.Now();
  Start();
  transport_.RunAll();
  scheduler_.Advance(scheduler_.NextDelay());
  transport_.RunAll();
  ASSERT_THAT(transport_.requests(), SizeIs(2));
  EXPECT_EQ(transport_.requests()[1].deadline, start + kLimit);
  scheduler_.Advance(kLimit);
  transport_.RunAll();
  ASSERT_THAT(answers_, SizeIs(1));
  EXPECT_EQ(answers_[0].status().code(), StatusCode::kDeadlineExceeded);
}

// ---- What it makes of the answer. ----

TEST_F(SessionReaderTest, GivesTheSessionAsAnswered) {
  transport_.Answer(200, Body("FINALIZED"));
  const Answer answer = Read();
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->session.session_id(), kId);
  EXPECT_EQ(answer->session.status(), v1::SESSION_STATUS_FINALIZED);
  EXPECT_EQ(answer->session.order_amount(), 25000);
}

TEST_F(SessionReaderTest, TakesAStatusThatItDoesNotKnow) {
  transport_.Answer(200, Body("PAUSED"));
  const Answer answer = Read();
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->session.status(), v1::SESSION_STATUS_UNSPECIFIED);
  EXPECT_EQ(answer->session.status_raw(), "PAUSED");
}

struct NonsenseRow {
  const char* name;
  std::string body;
};
class SessionReaderNonsenseTest : public SessionReaderTest,
                                  public testing::WithParamInterface<NonsenseRow> {};

INSTANTIATE_TEST_SUITE_P(
    Of, SessionReaderNonsenseTest,
    testing::Values(NonsenseRow{"AnotherSession",
                                Body("EXPIRED", "99999999-9999-4999-8999-999999999999")},
                    NonsenseRow{"NoId", R"({"status":"CREATED"})"},
                    NonsenseRow{"NoStatus", absl::StrCat(R"({"session_id":")", kId, R"("})")},
                    NonsenseRow{"NullStatus", R"({"status":null})"},
                    NonsenseRow{"EmptyStatus", Body("")}, NonsenseRow{"NothingAtAll", "{}"},
                    NonsenseRow{"NoBody", ""}, NonsenseRow{"NoJson", "<html>"},
                    NonsenseRow{"AList", absl::StrCat("[", Body("EXPIRED"), "]")},
                    NonsenseRow{"HalfAnAnswer", R"({"status":"EXPIRED",)"}),
    [](const auto& info) { return info.param.name; });

TEST_P(SessionReaderNonsenseTest, ProvesNothing) {
  transport_.Answer(200, GetParam().body);
  const Answer answer = Read();
  EXPECT_EQ(answer.status().code(), StatusCode::kInternal);
  EXPECT_EQ(GetErrorDetail(answer.status()).reason, "UPSTREAM_MALFORMED");
}

TEST_F(SessionReaderTest, SaysThatThereIsNoSuchSession) {
  transport_.Answer(404);
  EXPECT_TRUE(absl::IsNotFound(Read().status()));
  EXPECT_THAT(transport_.requests(), SizeIs(1));
}

TEST_F(SessionReaderTest, TriesAgainWhatMayPass) {
  transport_.Answer(503);
  transport_.Fail(absl::UnavailableError("reset"), http::RequestFate::kUnknown);
  transport_.Answer(200, Body("CANCELLED"));
  const Answer answer = Read();
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->session.status(), v1::SESSION_STATUS_CANCELLED);
  EXPECT_EQ(Retries("GetSession"), 2);
}

TEST_F(SessionReaderTest, PassesOnHowLongTheUpstreamWantsToBeLeftAlone) {
  transport_.HandleWith([](const http::HttpRequest&) {
    return http::FakeTransport::Answered(429, "", {{"retry-after", "30"}});
  });
  const Answer answer = Read();
  EXPECT_EQ(answer.status().code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(GetErrorDetail(answer.status()).retry_after, Seconds(30));
  EXPECT_THAT(transport_.requests(), SizeIs(1)) << "that is beyond the limit";
}

TEST_F(SessionReaderTest, RefusesAMerchantWithoutAKey) {
  const Answer answer = Read("PM9");
  EXPECT_EQ(GetErrorDetail(answer.status()).reason, "UPSTREAM_CREDENTIALS");
  EXPECT_THAT(transport_.requests(), IsEmpty());
}

// ---- CancelAll. ----

TEST_F(SessionReaderTest, EndsWhatIsUnderWay) {
  transport_.Hold();
  transport_.Hold();
  Start();
  Start("PM2");
  transport_.RunAll();
  CancelAll();
  CancelAll();
  transport_.RunAll();
  ASSERT_THAT(answers_, SizeIs(2));
  EXPECT_TRUE(absl::IsCancelled(answers_[0].status())) << answers_[0].status();
  EXPECT_TRUE(absl::IsCancelled(answers_[1].status()));
}

TEST_F(SessionReaderTest, EndsWhatWaitsToBeTriedAgain) {
  transport_.Answer(503, "", {{"retry-after", "5"}});
  Start();
  transport_.RunAll();
  ASSERT_EQ(scheduler_.NextDelay(), Seconds(5));
  CancelAll();
  scheduler_.Advance(absl::ZeroDuration());
  transport_.RunAll();
  ASSERT_THAT(answers_, SizeIs(1));
  EXPECT_FALSE(answers_[0].ok());
  EXPECT_THAT(transport_.requests(), SizeIs(1));
  EXPECT_EQ(scheduler_.NextDelay(), absl::InfiniteDuration()) << "nothing is left behind";
}

TEST_F(SessionReaderTest, EndsWhatBeginsLater) {
  CancelAll();
  transport_.Answer(200, Body("CREATED"));
  Start();
  transport_.RunAll();
  ASSERT_THAT(answers_, SizeIs(1));
  EXPECT_TRUE(absl::IsCancelled(answers_[0].status()));
  EXPECT_THAT(transport_.requests(), IsEmpty());
}

TEST_F(SessionReaderTest, LeavesAnAnswerThatCameBefore) {
  transport_.Answer(200, Body("CREATED"));
  ASSERT_TRUE(Read().ok());
  CancelAll();
  EXPECT_THAT(answers_, SizeIs(1));
}

// A transport that answers on another thread, as soon as it can.
class EagerTransport final : public http::HttpTransport {
 public:
  EagerTransport() : thread_([this] { Loop(); }) {}
  ~EagerTransport() override {
    {
      MutexLock lock(&mutex_);
      ending_ = true;
      changed_.SignalAll();
    }
    thread_.join();
  }

  int concurrency() const override { return 1; }
  std::shared_ptr<Call> Send(http::HttpRequest, Done done) override {
    struct Nothing final : Call {
      void Cancel() override {}
    };
    MutexLock lock(&mutex_);
    waiting_.push_back(std::move(done));
    changed_.SignalAll();
    return std::make_shared<Nothing>();
  }

 private:
  void Loop() {
    while (true) {
      Done done;
      {
        MutexLock lock(&mutex_);
        while (waiting_.empty() && !ending_) changed_.Wait(&mutex_);
        if (waiting_.empty()) return;
        done = std::move(waiting_.front());
        waiting_.pop_front();
      }
      std::move(done)(http::FakeTransport::Answered(200, Body("CREATED")));
    }
  }

  Mutex mutex_;
  CondVar changed_;
  std::deque<Done> waiting_ ABSL_GUARDED_BY(mutex_);
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

TEST_F(SessionReaderTest, AnswersOnceWhateverThreadIsFaster) {
  constexpr int kReads = 300;
  std::atomic<int> answered = 0;
  EagerTransport eager;
  UpstreamClient client(&eager, &credentials_, &Routes(), &clock_, &scheduler_, &metrics_, {});
  SessionReader reader(&client, &Routes(), &clock_, kLimit);
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < kReads; ++n) reader.Read("PM1", kId, {}, [&](Answer) { ++answered; });
    });
  }
  reader.CancelAll();
  for (std::thread& thread : threads) thread.join();
  while (answered < 2 * kReads) std::this_thread::yield();
}

}  // namespace
}  // namespace ipp::upstream
