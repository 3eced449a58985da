#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/sessions/session_recorder.h"
#include "server/webhook/receiver.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_store.h"
#include "tests/webhook/example.h"

namespace ipp::webhook {
namespace {

using testing::ContainsRegex;

class ReceiverLogTest : public testing::Test {
 protected:
  // The log of `times` deliveries of the same signed body.
  std::string LogOf(const std::string& body, int times = 1) {
    Delivery delivery{.id = "msg_1", .timestamp = kExampleTimestamp, .signature = {}, .body = body};
    delivery.signature = Sign(ExampleKey(), delivery.id, delivery.timestamp, body);
    testing::internal::CaptureStderr();
    for (int i = 0; i < times; ++i) {
      int code = 0;
      receiver_.Take(delivery, [&code](const Answer& answer) { code = answer.http_code; });
      store_.RunAll();
      EXPECT_EQ(code, 200);
    }
    return testing::internal::GetCapturedStderr();
  }

  FakeClock clock_{kExampleTime};
  Metrics metrics_;
  store::FakeStore store_{&clock_, store::FakeStore::Mode::kManual};
  sessions::SessionRecorder recorder_{&store_, &metrics_};
  Receiver receiver_{[] {
                       return MakeKeys({{"DM00000001", ExampleKey()}});
                     },
                     absl::Minutes(5),
                     &recorder_,
                     NoOwner(),
                     &clock_,
                     &metrics_};
};

int Lines(const std::string& text, const std::string& log) {
  int count = 0;
  for (size_t at = 0; (at = log.find(text, at)) != std::string::npos; at += text.size()) ++count;
  return count;
}

TEST_F(ReceiverLogTest, HasALineForAWebhookAndForItsEvent) {
  const std::string log = LogOf(kExampleBody);
  EXPECT_EQ(Lines("\n", log), 2) << log;
  EXPECT_THAT(log,
              ContainsRegex("Z info webhook taken merchant=DM00000001 session=11111111-[0-9-]+ "
                            "event_id=kevt_0+1 type=ipp\\.session\\.finalized "
                            "verdict=advanced left_out=0 trace_id="));
  EXPECT_THAT(log, ContainsRegex("Z info session event merchant=DM00000001 request_id=\"\" "
                                 "session=11111111-[0-9-]+ type=finalized source=webhook "
                                 "position=1 left_out=0 trace_id="));
  EXPECT_THAT(LogOf(kExampleBody), ContainsRegex("verdict=repeated "));
}

TEST_F(ReceiverLogTest, ShowsNoMoreThanTheBeginningOfATypeOfAnyLength) {
  const std::string log = LogOf(absl::StrCat(R"({"id":"kevt_1","merchant_id":"DM00000001",)"
                                             R"("type":"order.)",
                                             std::string(5000, 'x'), R"(","data":{}})"));
  EXPECT_THAT(log, ContainsRegex("webhook taken .* verdict=ignored "));
  EXPECT_LT(log.size(), 500u);
}

// Kustom, or who has its key, cannot fill the disk: five hundred at once, then a hundred a second.
TEST_F(ReceiverLogTest, IsLimited) {
  constexpr int kDeliveries = 2000;
  const int lines = Lines(" webhook taken ", LogOf(kExampleBody, kDeliveries));
  EXPECT_GE(lines, 500);
  EXPECT_LT(lines, kDeliveries);
}

}  // namespace
}  // namespace ipp::webhook
