#include "server/sessions/read_observer.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "tests/sessions/session_news.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_store.h"

namespace ipp::sessions {
namespace {

using namespace fixtures;  // NOLINT: the words of these tests
using store::FakeStore;

class ReadObserverTest : public testing::Test {
 protected:
  // How many transactions the read cost.
  int Observe(const v1::Session& session, const std::string& merchant_id = "PM1") {
    const int before = store_.commits();
    observer_.Observe(merchant_id, session);
    store_.RunAll();
    return store_.commits() - before;
  }
  // What a caller read of that session.
  static v1::Session Read(v1::SessionStatus status, const std::string& session_id = "s1") {
    v1::Session session = WholeSession(status);
    session.set_session_id(session_id);
    return session;
  }

  FakeClock clock_{kHeardAt};
  Metrics metrics_;
  FakeStore store_{&clock_, FakeStore::Mode::kManual};
  SessionRecorder recorder_{&store_, &metrics_};
  ReadObserver observer_{&recorder_, 3};
};

TEST_F(ReadObserverTest, WritesDownWhatAReadTells) {
  EXPECT_EQ(Observe(Read(v1::SESSION_STATUS_CREATED)), 1);
  ASSERT_EQ(store_.events().size(), 1u);
  EXPECT_EQ(store_.events()[0].type(), v1::SESSION_EVENT_TYPE_CREATED);
}

TEST_F(ReadObserverTest, CostsTheStoreNothingWhenTheReadTellsTheSameAgain) {
  EXPECT_EQ(Observe(Read(v1::SESSION_STATUS_CREATED)), 1);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(Observe(Read(v1::SESSION_STATUS_CREATED)), 0);
}

TEST_F(ReadObserverTest, WritesDownEveryChange) {
  EXPECT_EQ(Observe(Read(v1::SESSION_STATUS_CREATED)), 1);
  EXPECT_EQ(Observe(Read(v1::SESSION_STATUS_ACTIVE)), 1);
  EXPECT_EQ(Observe(Read(v1::SESSION_STATUS_FINALIZED)), 1);
  EXPECT_EQ(Observe(Read(v1::SESSION_STATUS_FINALIZED)), 0);
  EXPECT_EQ(store_.events().size(), 3u);
}

TEST_F(ReadObserverTest, NoticesAChangeThatIsNotOfTheStatus) {
  v1::Session session = Read(v1::SESSION_STATUS_FINALIZED);
  EXPECT_EQ(Observe(session), 1);
  session.set_order_id("another");
  EXPECT_EQ(Observe(session), 1);
}

TEST_F(ReadObserverTest, TellsSessionsAndMerchantsApart) {
  EXPECT_EQ(Observe(Read(v1::SESSION_STATUS_CREATED, "s1")), 1);
  EXPECT_EQ(Observe(Read(v1::SESSION_STATUS_CREATED, "s2")), 1);
  EXPECT_EQ(Observe(Read(v1::SESSION_STATUS_CREATED, "s1"), "PM2"), 1);
}

TEST_F(ReadObserverTest, WritesWithTheNextReadWhatCouldNotBeWritten) {
  store_.FailCommits(absl::UnavailableError("disk full"));
  EXPECT_EQ(Observe(Read(v1::SESSION_STATUS_CREATED)), 0);
  EXPECT_EQ(Observe(Read(v1::SESSION_STATUS_CREATED)), 1);
  EXPECT_EQ(Observe(Read(v1::SESSION_STATUS_CREATED)), 0);
}

TEST_F(ReadObserverTest, KeepsLittleWaitingForADiskThatHangs) {
  ReadObserver observer(&recorder_, 65536, 10);
  for (int i = 0; i < 1000; ++i) {
    observer.Observe("PM1", Read(v1::SESSION_STATUS_CREATED, "s" + std::to_string(i)));
  }
  EXPECT_EQ(store_.waiting(), 10u);
  store_.RunAll();
  EXPECT_EQ(store_.commits(), 10);
  // What was left out is written by the next read; what was written is not.
  observer.Observe("PM1", Read(v1::SESSION_STATUS_CREATED, "s999"));
  observer.Observe("PM1", Read(v1::SESSION_STATUS_CREATED, "s0"));
  store_.RunAll();
  EXPECT_EQ(store_.commits(), 11);
}

TEST_F(ReadObserverTest, AsksOnceForTwoReadsThatMeet) {
  observer_.Observe("PM1", Read(v1::SESSION_STATUS_CREATED));
  observer_.Observe("PM1", Read(v1::SESSION_STATUS_CREATED));
  EXPECT_EQ(store_.waiting(), 1u);
  store_.RunAll();
}

TEST_F(ReadObserverTest, StartsAgainWhenItsMemoryIsFull) {
  for (const char* id : {"s1", "s2", "s3"}) {
    EXPECT_EQ(Observe(Read(v1::SESSION_STATUS_CREATED, id)), 1) << id;
  }
  EXPECT_EQ(Observe(Read(v1::SESSION_STATUS_CREATED, "s4")), 1);
  // Forgotten, so written once more, which changes nothing.
  EXPECT_EQ(Observe(Read(v1::SESSION_STATUS_CREATED, "s1")), 1);
  EXPECT_EQ(Observe(Read(v1::SESSION_STATUS_CREATED, "s1")), 0);
  EXPECT_EQ(store_.events().size(), 4u);
}

TEST_F(ReadObserverTest, PassesOverAnswersThatTellNothing) {
  EXPECT_EQ(Observe(Read(v1::SESSION_STATUS_UNSPECIFIED)), 0);
  v1::Session nameless = Read(v1::SESSION_STATUS_CREATED);
  nameless.clear_session_id();
  EXPECT_EQ(Observe(nameless), 0);
  EXPECT_EQ(store_.events().size(), 0u);
}

}  // namespace
}  // namespace ipp::sessions
