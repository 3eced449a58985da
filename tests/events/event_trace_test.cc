#include "server/events/event_trace.h"

#include <gtest/gtest.h>

#include <string>

#include "kustom/ipp/v1/session_event.pb.h"
#include "kustom/ipp/v1/shared_subscription.pb.h"

namespace ipp::events {
namespace {

namespace v1 = kustom::ipp::v1;

constexpr char kTrace[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
constexpr int kEvent = v1::SubscribeSessionEventsResponse::kEventFieldNumber;
constexpr int kTraceparent = v1::SessionEvent::kTraceparentFieldNumber;

v1::SessionEvent Event() {
  v1::SessionEvent event;
  event.set_event_id("e1");
  event.set_type(v1::SESSION_EVENT_TYPE_CREATED);
  event.mutable_recorded_at()->set_seconds(1'790'000'000);
  event.mutable_session()->set_merchant_data(std::string(300, 'x'));
  event.set_cursor("c");
  event.set_traceparent(kTrace);
  event.set_tracestate("a=1");
  return event;
}

TEST(FindField, FindsTheTraceOfAnEventThatIsSent) {
  v1::SubscribeSessionEventsResponse response;
  *response.mutable_event() = Event();
  EXPECT_EQ(FindField(response.SerializeAsString(), {kEvent, kTraceparent}), kTrace);
}

TEST(FindField, FindsTheTraceOfAnEventUnderALease) {
  v1::ReceiveSessionEventsResponse response;
  *response.mutable_leased()->mutable_event() = Event();
  response.mutable_leased()->set_lease("l");
  EXPECT_EQ(FindField(response.SerializeAsString(),
                      {v1::ReceiveSessionEventsResponse::kLeasedFieldNumber,
                       v1::LeasedSessionEvent::kEventFieldNumber, kTraceparent}),
            kTrace);
}

TEST(FindField, IsEmptyWhereThereIsNone) {
  v1::SubscribeSessionEventsResponse response;
  *response.mutable_event() = Event();
  response.mutable_event()->clear_traceparent();
  EXPECT_EQ(FindField(response.SerializeAsString(), {kEvent, kTraceparent}), "");
  response.mutable_heartbeat()->set_cursor("c");
  EXPECT_EQ(FindField(response.SerializeAsString(), {kEvent, kTraceparent}), "");
  EXPECT_EQ(FindField("", {kEvent, kTraceparent}), "");
}

TEST(FindField, TakesNothingFromBytesThatAreCutOff) {
  v1::SubscribeSessionEventsResponse response;
  *response.mutable_event() = Event();
  const std::string whole = response.SerializeAsString();
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(FindField(absl::string_view(whole).substr(0, size), {kEvent, kTraceparent}), "")
        << size;
  }
}

}  // namespace
}  // namespace ipp::events
