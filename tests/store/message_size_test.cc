#include "server/store/message_size.h"

#include <random>
#include <string>

#include "gtest/gtest.h"
#include "server/store/event_row.h"

namespace ipp::store {
namespace {

namespace v1 = kustom::ipp::v1;

v1::SessionEvent Event() {
  v1::SessionEvent event;
  event.set_event_id("kevt_1");
  event.set_merchant_id("PM1");
  event.set_session_id("s1");
  event.mutable_session()->set_session_id("s1");
  event.mutable_session()->set_status(v1::SESSION_STATUS_ACTIVE);
  event.mutable_session()->set_device_id("d1");
  event.mutable_session()->set_merchant_reference1("ref1");
  event.mutable_session()->set_order_amount(1000);
  return event;
}

TEST(MessageSize, LeavesWhatEveryReaderTakesAsItIs) {
  v1::SessionEvent event = Event();
  event.mutable_session()->set_merchant_data(std::string(200 << 10, 'x'));
  const std::string before = event.SerializeAsString();
  EXPECT_FALSE(CapEvent(&event));
  EXPECT_EQ(event.SerializeAsString(), before);
}

TEST(MessageSize, LeavesOutTheLinesFirst) {
  v1::SessionEvent event = Event();
  event.mutable_session()->set_merchant_data("mine");
  for (int i = 0; i < 1000; ++i) event.mutable_session()->add_order_items()->set_name("a coffee");
  event.mutable_session()->add_order_items()->set_name(std::string(5 << 20, 'x'));
  EXPECT_TRUE(CapEvent(&event));
  EXPECT_TRUE(event.session_truncated());
  EXPECT_EQ(event.session().order_items_size(), 0);
  EXPECT_EQ(event.session().merchant_data(), "mine");
  EXPECT_EQ(event.session().order_amount(), 1000);
}

TEST(MessageSize, FitsWhateverFieldsAreLarge) {
  std::mt19937 random(1);
  const auto text = [&] { return std::string(random() % (300 << 10), 'x'); };
  for (int i = 0; i < 200; ++i) {
    v1::SessionEvent event = Event();
    v1::Session& session = *event.mutable_session();
    for (std::string* field :
         {session.mutable_merchant_data(), session.mutable_merchant_reference1(),
          session.mutable_merchant_reference2(), session.mutable_status_raw(),
          session.mutable_order_id(), session.mutable_device_id(), event.mutable_failure_reason(),
          event.mutable_upstream_type(), event.mutable_request_id()}) {
      if (random() % 3 == 0) *field = text();
    }
    event.GetReflection()->MutableUnknownFields(&event)->AddLengthDelimited(99, text());
    const bool large = event.ByteSizeLong() > kMaxEventBytes;
    EXPECT_EQ(CapEvent(&event), large);
    EXPECT_EQ(event.session_truncated(), large);
    EXPECT_LE(event.ByteSizeLong(), kMaxEventBytes);
    EXPECT_EQ(event.session().session_id(), "s1");
    EXPECT_EQ(event.event_id(), "kevt_1");
  }
}

TEST(MessageSize, OfARowLeavesTheFiltersWhatTheyLookAt) {
  v1::SessionEvent event = Event();
  event.mutable_session()->set_merchant_reference1(std::string(5 << 20, 'r'));
  const StoredEvent row = MakeRow(event, 1, absl::UnixEpoch());
  EXPECT_LE(row.payload.size(), kMaxEventBytes);
  EXPECT_EQ(row.merchant_reference1.size(), size_t{5 << 20});
}

}  // namespace
}  // namespace ipp::store
