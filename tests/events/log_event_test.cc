#include "server/events/log_event.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "google/protobuf/util/message_differencer.h"
#include "server/events/cursor.h"
#include "server/store/event_row.h"

namespace ipp::events {
namespace {

using google::protobuf::util::MessageDifferencer;
namespace v1 = kustom::ipp::v1;

constexpr char kLog[] = "00000000deadbeef";
const absl::Time kRecordedAt = absl::FromUnixMicros(1'790'000'000'123'456);

v1::SessionEvent EventWithDataOf(size_t bytes) {
  v1::SessionEvent event;
  event.set_event_id("kevt_1");
  event.set_type(v1::SESSION_EVENT_TYPE_FINALIZED);
  event.set_merchant_id("PM1");
  event.set_session_id("s1");
  event.mutable_occurred_at()->set_seconds(1'790'000'000);
  event.set_source(v1::SESSION_EVENT_SOURCE_WEBHOOK);
  event.mutable_session()->set_device_id("d1");
  event.mutable_session()->set_merchant_reference1("r1");
  event.mutable_session()->set_merchant_data(std::string(bytes, 'x'));
  return event;
}

EventPtr MadeIn(uint16_t epoch, store::StoredEvent row) {
  const LogPlace place{row.position, epoch, ContentOf(row)};
  return LogEvent::Make(std::move(row), kLog, place);
}

// The sizes lie on both sides of where a varint of the length gets longer.
class LogEventOfSize : public testing::TestWithParam<size_t> {};

TEST_P(LogEventOfSize, HasTheBytesThatProtobufWrites) {
  const v1::SessionEvent event = EventWithDataOf(GetParam());
  const EventPtr made = MadeIn(3, store::MakeRow(event, 4711, kRecordedAt));

  v1::SubscribeSessionEventsResponse expected;
  *expected.mutable_event() = event;
  expected.mutable_event()->mutable_recorded_at()->set_seconds(1'790'000'000);
  expected.mutable_event()->mutable_recorded_at()->set_nanos(123'456'000);
  expected.mutable_event()->set_cursor(EncodeCursor(kLog, made->place));
  EXPECT_EQ(made->message, expected.SerializeAsString());
  EXPECT_TRUE(MessageDifferencer::Equals(made->Parse(), expected.event()));
}

INSTANTIATE_TEST_SUITE_P(Table, LogEventOfSize,
                         testing::Values(0, 1, 20, 40, 60, 100, 127, 128, 1000, 16000, 16256, 16383,
                                         16384, 200000, 261000));

// As an earlier release wrote it.
TEST(LogEvent, CutsARowThatIsTooLargeForItsReaders) {
  store::StoredEvent row = store::MakeRow(EventWithDataOf(0), 4711, kRecordedAt);
  v1::SessionEvent large = EventWithDataOf(5 << 20);
  row.payload = large.SerializeAsString();
  const LogPlace place{4711, 3, ContentOf(row)};  // of the row as it is kept
  const EventPtr made = MadeIn(3, std::move(row));
  EXPECT_LT(made->message.size(), size_t{300 << 10});
  EXPECT_TRUE(made->Parse().session_truncated());
  EXPECT_EQ(made->Parse().session().device_id(), "d1");
  EXPECT_EQ(made->Parse().cursor(), EncodeCursor(kLog, place));
}

TEST(LogEvent, KeepsWhatFiltersLookAtAndTheBytesOnce) {
  const EventPtr made = MadeIn(3, store::MakeRow(EventWithDataOf(10), 4711, kRecordedAt));
  EXPECT_EQ(made->row.position, 4711);
  EXPECT_EQ(made->row.recorded_at, kRecordedAt);
  EXPECT_EQ(made->row.merchant_id, "PM1");
  EXPECT_EQ(made->row.session_id, "s1");
  EXPECT_EQ(made->row.device_id, "d1");
  EXPECT_EQ(made->row.type, v1::SESSION_EVENT_TYPE_FINALIZED);
  EXPECT_EQ(made->row.merchant_reference1, "r1");
  EXPECT_EQ(made->row.payload, "");
}

TEST(LogEvent, PassesOnFieldsOfALaterContract) {
  store::StoredEvent row = store::MakeRow(EventWithDataOf(0), 1, kRecordedAt);
  row.payload += "\xfa\x3f\x03new";  // field 1023
  const uint32_t content = ContentOf(row);
  const v1::SessionEvent event = MadeIn(3, std::move(row))->Parse();
  EXPECT_EQ(event.GetReflection()->GetUnknownFields(event).field_count(), 1);
  EXPECT_EQ(event.cursor(), EncodeCursor(kLog, {1, 3, content}));
}

}  // namespace
}  // namespace ipp::events
