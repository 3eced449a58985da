#include "server/events/event_filter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "google/protobuf/text_format.h"
#include "server/base/error.h"

namespace ipp::events {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;
namespace v1 = kustom::ipp::v1;

v1::SessionEventFilter Parse(const std::string& text) {
  v1::SessionEventFilter filter;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &filter)) << text;
  return filter;
}

struct FilterRow {
  std::string name;
  std::string filter;  // text format
  std::vector<std::string> merchants;
  bool matches;  // the event below
};

void PrintTo(const FilterRow& row, std::ostream* out) { *out << row.name; }

class Filter : public testing::TestWithParam<FilterRow> {};

TEST_P(Filter, MatchesOrNot) {
  store::StoredEvent event;
  event.merchant_id = "PM1";
  event.session_id = "s1";
  event.device_id = "d1";
  event.type = v1::SESSION_EVENT_TYPE_FINALIZED;
  event.merchant_reference1 = "r1";
  const auto filter = EventFilter::Create(Parse(GetParam().filter), GetParam().merchants);
  ASSERT_TRUE(filter.ok()) << filter.status();
  EXPECT_EQ(filter->Matches(event), GetParam().matches);
}

INSTANTIATE_TEST_SUITE_P(
    Table, Filter,
    testing::ValuesIn(std::vector<FilterRow>{
        {"Everything", "", {"PM1"}, true},
        {"OneOfManyMerchants", "", {"PM0", "PM1"}, true},
        {"AnotherMerchant", "", {"PM2"}, false},
        {"NoMerchant", "", {}, false},
        // Who may see what is decided before; the request's own list is not looked at.
        {"MerchantsOfTheRequestGrantNothing", "merchant_ids: 'PM1'", {"PM2"}, false},
        {"Session", "session_ids: 's1'", {"PM1"}, true},
        {"OneOfManySessions", "session_ids: ['s0', 's1']", {"PM1"}, true},
        {"AnotherSession", "session_ids: 's2'", {"PM1"}, false},
        {"PartOfASession", "session_ids: 's'", {"PM1"}, false},
        {"SessionOfAnotherMerchant", "session_ids: 's1'", {"PM2"}, false},
        {"Device", "device_ids: 'd1'", {"PM1"}, true},
        {"AnotherDevice", "device_ids: 'd2'", {"PM1"}, false},
        {"Reference", "merchant_reference1s: 'r1'", {"PM1"}, true},
        {"AnotherReference", "merchant_reference1s: 'r2'", {"PM1"}, false},
        {"Type", "types: SESSION_EVENT_TYPE_FINALIZED", {"PM1"}, true},
        {"OneOfManyTypes",
         "types: [SESSION_EVENT_TYPE_CREATED, SESSION_EVENT_TYPE_FINALIZED]",
         {"PM1"},
         true},
        {"AnotherType", "types: SESSION_EVENT_TYPE_CREATED", {"PM1"}, false},
        {"UnknownTypesOnly", "types: SESSION_EVENT_TYPE_UNSPECIFIED", {"PM1"}, false},
        {"AllListsMatch",
         "session_ids: 's1' device_ids: 'd1' merchant_reference1s: 'r1' "
         "types: SESSION_EVENT_TYPE_FINALIZED",
         {"PM1"},
         true},
        {"OneListDoesNot",
         "session_ids: 's1' device_ids: 'd2' merchant_reference1s: 'r1' "
         "types: SESSION_EVENT_TYPE_FINALIZED",
         {"PM1"},
         false},
    }),
    [](const auto& info) { return info.param.name; });

TEST(EventFilter, FindsEventsOfUnknownTypeByTheUnspecifiedOne) {
  store::StoredEvent event;
  event.merchant_id = "PM1";
  const auto filter = EventFilter::Create(Parse("types: SESSION_EVENT_TYPE_UNSPECIFIED"), {"PM1"});
  EXPECT_TRUE(filter->Matches(event));
}

TEST(EventFilter, LeavesOutEventsWhoseDeviceIsNotKnownWhenDevicesAreAskedFor) {
  store::StoredEvent event;
  event.merchant_id = "PM1";
  EXPECT_FALSE(EventFilter::Create(Parse("device_ids: 'd1'"), {"PM1"})->Matches(event));
}

struct BadRow {
  std::string name;
  std::string field;  // of the filter
  int count;          // values, all the same
  std::string value;
  std::string violation;
};

void PrintTo(const BadRow& row, std::ostream* out) { *out << row.name; }

class BadFilter : public testing::TestWithParam<BadRow> {};

TEST_P(BadFilter, IsRefusedByField) {
  const BadRow& row = GetParam();
  std::string text;
  for (int i = 0; i < row.count; ++i) absl::StrAppend(&text, row.field, ": ", row.value, "\n");
  const absl::Status status = EventFilter::Create(Parse(text), {"PM1"}).status();
  ASSERT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  const ErrorDetail detail = GetErrorDetail(status);
  EXPECT_EQ(detail.reason, "INVALID_REQUEST");
  ASSERT_THAT(detail.violations, SizeIs(1));
  EXPECT_EQ(detail.violations[0].field, row.violation);
}

INSTANTIATE_TEST_SUITE_P(
    Table, BadFilter,
    testing::ValuesIn(std::vector<BadRow>{
        {"EmptySession", "session_ids", 1, "''", "filter.session_ids[0]"},
        {"EmptyDevice", "device_ids", 1, "''", "filter.device_ids[0]"},
        {"EmptyReference", "merchant_reference1s", 1, "''", "filter.merchant_reference1s[0]"},
        {"UnknownType", "types", 1, "99", "filter.types[0]"},
        {"NegativeType", "types", 1, "-1", "filter.types[0]"},
        {"HugeType", "types", 1, "2147483647", "filter.types[0]"},
        {"TooManySessions", "session_ids", 1001, "'s'", "filter.session_ids"},
        {"TooManyDevices", "device_ids", 1001, "'d'", "filter.device_ids"},
        {"TooManyReferences", "merchant_reference1s", 1001, "'r'", "filter.merchant_reference1s"},
        {"TooManyTypes", "types", 1001, "1", "filter.types"},
    }),
    [](const auto& info) { return info.param.name; });

TEST(EventFilter, TakesAThousandValues) {
  v1::SessionEventFilter filter;
  for (int i = 0; i < 1000; ++i) filter.add_session_ids(absl::StrCat("s", i));
  EXPECT_TRUE(EventFilter::Create(filter, {"PM1"}).ok());
}

}  // namespace
}  // namespace ipp::events
