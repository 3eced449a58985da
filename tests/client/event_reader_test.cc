#include "ippclient/event_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "absl/strings/str_cat.h"
#include "ippclient/connection.h"
#include "tests/client/fake_gateway.h"
#include "tests/client/manual_clock.h"
#include "tests/client/scripted_events.h"

namespace ipp::client {
namespace {

using ::testing::ElementsAre;
using Kind = NextEvent::Kind;

constexpr absl::Duration kForEver = absl::InfiniteDuration();

class EventReaderTest : public ::testing::Test {
 protected:
  SubscriptionOptions Options() {
    SubscriptionOptions options;
    options.request.set_position(v1::START_POSITION_FROM_OLDEST);
    options.initial_backoff = absl::Seconds(1);
    options.max_backoff = absl::Seconds(5);
    options.clock = &clock_;
    return options;
  }
  // "1" for event 1, "skipped", "nothing", "ended".
  static std::string Told(const NextEvent& next) {
    switch (next.kind) {
      case Kind::kEvent:
        return next.event.event_id();
      case Kind::kSkipped:
        return "skipped";
      case Kind::kNothing:
        return "nothing";
      case Kind::kEnded:
        return "ended";
    }
    return "?";
  }
  std::vector<std::string> AskedFor() {
    std::vector<std::string> cursors;
    for (const auto& request : events_.requests()) {
      cursors.push_back(request.has_after_cursor() ? request.after_cursor() : "-");
    }
    return cursors;
  }

  ScriptedEvents events_;
  FakeGateway gateway_{&events_};
  std::shared_ptr<grpc::Channel> channel_ = [this] {
    ConnectionOptions options;
    options.address = gateway_.address();
    return (*Connection::Create(options))->channel();
  }();
  ManualClock clock_{/*short_wait=*/absl::Seconds(30)};  // all pauses, and no silence
};

TEST_F(EventReaderTest, TakesEachEventOnceOverBrokenStreams) {
  events_.Add({{StartedAt("c-0"), EventOf("1"), EventOf("2")}, Unavailable()});
  events_.Add({{StartedAt("c-2"), HeartbeatAt("c-2h")}, grpc::Status::OK});
  events_.Add({{StartedAt("c-2h"), EventOf("3"), GoodbyeAt("c-3g")}, Unavailable()});
  EventReader reader(channel_, Options());
  std::vector<std::string> told;
  NextEvent next;
  do {
    next = reader.Next(kForEver);
    told.push_back(Told(next));
  } while (next.kind != Kind::kEnded);
  EXPECT_THAT(told, ElementsAre("1", "2", "3", "ended"));
  EXPECT_THAT(AskedFor(), ElementsAre("-", "c-2", "c-2h", "c-3g"));
  EXPECT_EQ(next.status.error_code(), grpc::StatusCode::NOT_FOUND) << "the scripts are over";
  EXPECT_EQ(clock_.Now(), 3 * absl::Milliseconds(750));
}

TEST_F(EventReaderTest, HandsBackNoCursorOfAnEventThatWasNotTaken) {
  events_.Add({{StartedAt("c-0"), EventOf("1"), EventOf("2"), EventOf("3")}, Unavailable()});
  std::string cursor;
  {
    EventReader reader(channel_, Options());
    EXPECT_EQ(reader.cursor(), "");
    EXPECT_EQ(Told(reader.Next(kForEver)), "1");
    // All three have left the gateway, and lie somewhere on the way.
    events_.progress().AwaitEnds(1);
    EXPECT_EQ(reader.cursor(), "c-1");
    EXPECT_EQ(Told(reader.Next(kForEver)), "2");
    cursor = reader.cursor();
    EXPECT_EQ(cursor, "c-2");
  }
  // Who goes on there misses nothing.
  events_.Add({{StartedAt("c-2"), EventOf("3")}, Unavailable()});
  SubscriptionOptions options = Options();
  options.request.set_after_cursor(cursor);
  EventReader reader(channel_, options);
  EXPECT_EQ(Told(reader.Next(kForEver)), "3");
  EXPECT_THAT(AskedFor(), ElementsAre("-", "c-2"));
}

TEST_F(EventReaderTest, ReadsAheadOnlyALittle) {
  // Far more than flow control lets through: the gateway cannot have sent them all.
  Script script{.messages = {StartedAt("c-0")}};
  const std::string weight(16 * 1024, 'x');
  constexpr int kEvents = 2000;
  for (int i = 1; i <= kEvents; ++i) {
    script.messages.push_back(EventOf(absl::StrCat(i)));
    script.messages.back().mutable_event()->mutable_session()->set_merchant_data(weight);
  }
  events_.Add(std::move(script));
  EventReader reader(channel_, Options());
  EXPECT_EQ(Told(reader.Next(kForEver)), "1");
  events_.progress().AwaitStall();
  EXPECT_LT(events_.progress().written(), kEvents / 2);
  for (int i = 2; i <= kEvents; ++i) ASSERT_EQ(Told(reader.Next(kForEver)), absl::StrCat(i));
}

TEST_F(EventReaderTest, SaysThatThereIsNothingYet) {
  events_.Add({{StartedAt("c-0")}, grpc::Status::OK, /*silent=*/true});
  EventReader reader(channel_, Options());
  const NextEvent next = reader.Next(absl::Seconds(3));
  EXPECT_EQ(Told(next), "nothing");
  EXPECT_TRUE(next.status.ok());
  EXPECT_EQ(clock_.Now(), absl::Seconds(3));
}

TEST_F(EventReaderTest, ConnectsAlsoForWhoNeverWaits) {
  events_.Add({{StartedAt("c-0"), EventOf("1")}, grpc::Status::OK, /*silent=*/true});
  SubscriptionOptions options = Options();
  options.clock = nullptr;
  EventReader reader(channel_, options);
  NextEvent next;
  while ((next = reader.Next(absl::ZeroDuration())).kind == Kind::kNothing) {
    std::this_thread::yield();
  }
  EXPECT_EQ(Told(next), "1");
  EXPECT_THAT(AskedFor(), ElementsAre("-"));
}

TEST_F(EventReaderTest, TellsHowTheStreamBrokeUntilTheNextOneSpeaks) {
  events_.Add({{}, Unavailable()});
  events_.Add({{StartedAt("c-0")}, grpc::Status::OK, /*silent=*/true});
  EventReader reader(channel_, Options());
  // No time passes while the network is waited for: it would be silence.
  NextEvent next;
  while ((next = reader.Next(absl::ZeroDuration())).status.ok()) {
    ASSERT_EQ(Told(next), "nothing");
  }
  EXPECT_EQ(Told(next), "nothing");
  EXPECT_EQ(next.status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(events_.requests().size(), 1u);
  clock_.Pass(absl::Milliseconds(750));  // the pause
  while (!(next = reader.Next(absl::ZeroDuration())).status.ok()) {
    ASSERT_EQ(Told(next), "nothing");
  }
  EXPECT_EQ(reader.cursor(), "c-0");
}

TEST_F(EventReaderTest, TellsWhenEventsWereSkipped) {
  auto behind_the_gap = StartedAt("c-7");
  behind_the_gap.mutable_started()->set_skipped(true);
  events_.Add({{StartedAt("c-0"), EventOf("1")}, {grpc::StatusCode::OUT_OF_RANGE, "overtaken"}});
  events_.Add({{behind_the_gap, EventOf("8")}, Unavailable()});
  SubscriptionOptions options = Options();
  options.request.set_on_cursor_expired(v1::CURSOR_EXPIRED_POLICY_SKIP_TO_OLDEST);
  EventReader reader(channel_, options);
  EXPECT_EQ(Told(reader.Next(kForEver)), "1");
  EXPECT_EQ(Told(reader.Next(kForEver)), "skipped");
  EXPECT_EQ(reader.cursor(), "c-7");
  EXPECT_EQ(Told(reader.Next(kForEver)), "8");
}

TEST_F(EventReaderTest, SaysEachTimeThatItHasEnded) {
  events_.Add({{StartedAt("c-0"), EventOf("1")}, {grpc::StatusCode::OUT_OF_RANGE, "overtaken"}});
  EventReader reader(channel_, Options());
  EXPECT_EQ(Told(reader.Next(kForEver)), "1");
  for (int i = 0; i < 2; ++i) {
    const NextEvent next = reader.Next(kForEver);
    EXPECT_EQ(Told(next), "ended");
    EXPECT_EQ(next.status.error_code(), grpc::StatusCode::OUT_OF_RANGE);
  }
  EXPECT_EQ(reader.cursor(), "c-1");
  EXPECT_EQ(events_.requests().size(), 1u);
}

TEST_F(EventReaderTest, NoticesADeadConnectionAlsoAfterNobodyHasAsked) {
  events_.Add({{StartedAt("c-0"), EventOf("1")}, grpc::Status::OK, /*silent=*/true});
  events_.Add({{StartedAt("c-1"), EventOf("2")}, Unavailable()});
  EventReader reader(channel_, Options());
  EXPECT_EQ(Told(reader.Next(kForEver)), "1");
  EXPECT_EQ(Told(reader.Next(absl::ZeroDuration())), "nothing");  // listens
  clock_.Pass(absl::Hours(1));
  EXPECT_EQ(Told(reader.Next(kForEver)), "2");
}

TEST_F(EventReaderTest, CancelFromAnotherThreadEndsAWait) {
  events_.Add({{StartedAt("c-0"), EventOf("1")}, grpc::Status::OK, /*silent=*/true});
  EventReader reader(channel_, Options());
  EXPECT_EQ(Told(reader.Next(kForEver)), "1");
  std::thread other([&] { reader.Cancel(); });
  const NextEvent next = reader.Next(kForEver);
  other.join();
  EXPECT_EQ(Told(next), "ended");
  EXPECT_TRUE(next.status.ok());
  EXPECT_EQ(reader.cursor(), "c-1");
}

TEST_F(EventReaderTest, CancelBeforeTheFirstNextMakesNoCall) {
  EventReader reader(channel_, Options());
  reader.Cancel();
  EXPECT_EQ(Told(reader.Next(kForEver)), "ended");
  EXPECT_TRUE(events_.requests().empty());
}

}  // namespace
}  // namespace ipp::client
