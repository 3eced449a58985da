#include <string>

#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "server/base/error.h"
#include "server/rpc/validate.h"
#include "server/shared/spec.h"

// Requests of shared subscriptions that are refused, each with the field that is named first.
namespace ipp::rpc {
namespace {

namespace v1 = kustom::ipp::v1;

// The first field that is wrong; empty: none.
template <typename Request>
std::string Wrong(const std::string& text) {
  Request request;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &request)) << text;
  const ErrorDetail detail = GetErrorDetail(Validate(request));
  return detail.violations.empty() ? "" : detail.violations.front().field;
}

std::string Create(const std::string& more, const std::string& name = "orders") {
  return Wrong<v1::CreateSharedSubscriptionRequest>("subscription { name: '" + name + "' " + more +
                                                    " }");
}
constexpr char kStart[] = "start { position: START_POSITION_FROM_NOW } ";

TEST(ValidateShared, ASubscription) {
  EXPECT_EQ(Create(kStart), "");
  EXPECT_EQ(Create(kStart, std::string(63, 'a')), "");
  for (const std::string& name : {std::string(), std::string(64, 'a'), std::string("Orders"),
                                  std::string("a b"), std::string("ö")}) {
    EXPECT_EQ(Create(kStart, name), "subscription.name") << name;
  }
  EXPECT_EQ(Create(""), "subscription.start");
  EXPECT_EQ(Create("start { position: START_POSITION_UNSPECIFIED }"),
            "subscription.start.position");
  EXPECT_EQ(Create("start { after_cursor: '' }"), "subscription.start.after_cursor");
  EXPECT_EQ(Create("start { start_time { nanos: -1 } }"), "subscription.start.start_time");
  const std::string start = kStart;
  for (const char* lease :
       {"lease { seconds: 5 }", "lease { seconds: 600 }", "max_attempts: 100"}) {
    EXPECT_EQ(Create(start + lease), "") << lease;
  }
  for (const char* lease :
       {"lease {}", "lease { seconds: 4 nanos: 999999999 }", "lease { seconds: 600 nanos: 1 }",
        "lease { seconds: -5 }", "lease { seconds: 5 nanos: -1 }",
        "lease { seconds: 9223372036854775807 }"}) {
    EXPECT_EQ(Create(start + lease), "subscription.lease") << lease;
  }
  EXPECT_EQ(Create(start + "max_attempts: 101"), "subscription.max_attempts");
  EXPECT_EQ(Create(start + "max_attempts: -1"), "subscription.max_attempts");
}

TEST(ValidateShared, AStream) {
  using Request = v1::ReceiveSessionEventsRequest;
  EXPECT_EQ(Wrong<Request>("subscription: 'orders' max_in_flight: 256"), "");
  EXPECT_EQ(Wrong<Request>(""), "subscription");
  EXPECT_EQ(Wrong<Request>("subscription: 'orders' max_in_flight: 257"), "max_in_flight");
  EXPECT_EQ(Wrong<Request>("subscription: 'orders' max_in_flight: -1"), "max_in_flight");
  EXPECT_EQ(Wrong<Request>("subscription: 'orders' consumer: '" + std::string(129, 'x') + "'"),
            "consumer");
  EXPECT_EQ(Wrong<Request>("subscription: 'orders' heartbeat_interval {}"), "heartbeat_interval");
}

std::string Settle(const std::string& action) {
  shared::LeaseToken token;
  token.set_subscription(7);
  token.set_merchant_id("PM1");
  token.set_session_id("s1");
  token.set_position(1);
  token.set_lease(5);
  return Wrong<v1::SettleSessionEventsRequest>("subscription: 'orders' settlements { lease: '" +
                                               shared::EncodeLease(token) + "' " + action + " }");
}

TEST(ValidateShared, ASettlement) {
  for (const char* action :
       {"acknowledge {}", "release {}", "retry {}", "retry { delay {} }",
        "retry { delay { seconds: 3600 } }", "park {}", "extend { by { seconds: 5 } }"}) {
    EXPECT_EQ(Settle(action), "") << action;
  }
  EXPECT_EQ(Settle(""), "settlements[0].action");
  EXPECT_EQ(Settle("retry { delay { seconds: 3600 nanos: 1 } }"), "settlements[0].retry.delay");
  EXPECT_EQ(Settle("retry { delay { seconds: -1 } }"), "settlements[0].retry.delay");
  EXPECT_EQ(Settle("retry { reason: '" + std::string(1025, 'x') + "' }"),
            "settlements[0].retry.reason");
  EXPECT_EQ(Settle("park { reason: '" + std::string(1025, 'x') + "' }"),
            "settlements[0].park.reason");
  for (const char* by :
       {"extend {}", "extend { by { seconds: 4 } }", "extend { by { seconds: 601 } }"}) {
    EXPECT_EQ(Settle(by), "settlements[0].extend.by") << by;
  }
  using Request = v1::SettleSessionEventsRequest;
  EXPECT_EQ(Wrong<Request>("subscription: 'orders'"), "settlements");
  for (const char* lease : {"", "x", "AAAA", "not base64!"}) {
    EXPECT_EQ(Wrong<Request>("subscription: 'orders' settlements { lease: '" + std::string(lease) +
                             "' acknowledge {} }"),
              "settlements[0].lease")
        << lease;
  }
}

TEST(ValidateShared, AChoiceOfParkedEvents) {
  using Request = v1::RedriveSessionEventsRequest;
  EXPECT_EQ(Wrong<Request>("subscription: 'orders' all: true"), "");
  EXPECT_EQ(Wrong<Request>("subscription: 'orders' event_ids: 'e'"), "");
  EXPECT_EQ(Wrong<Request>("subscription: 'orders'"), "event_ids");
  EXPECT_EQ(Wrong<Request>("subscription: 'orders' all: true event_ids: 'e'"), "event_ids");
  EXPECT_EQ(Wrong<Request>("subscription: 'orders' event_ids: ''"), "event_ids[0]");
  EXPECT_EQ(Wrong<v1::DeleteParkedSessionEventsRequest>("subscription: 'orders'"), "event_ids");
  EXPECT_EQ(Wrong<v1::ListParkedSessionEventsRequest>("subscription: 'orders' page_size: 1001"),
            "page_size");
}

}  // namespace
}  // namespace ipp::rpc
