#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kustom/ipp/v1/device.pb.h"
#include "kustom/ipp/v1/enrollment.pb.h"
#include "kustom/ipp/v1/location.pb.h"
#include "kustom/ipp/v1/session.pb.h"
#include "server/json/message_json.h"
#include "tests/json/kinds.pb.h"
#include "tests/support/odd_json.h"

namespace ipp::json {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using test::Kinds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
namespace v1 = kustom::ipp::v1;

// What was read, and the paths of what was not.
struct Lenient {
  explicit Lenient(Message* message, absl::string_view text) {
    ReadOptions options;
    options.lenient = true;
    options.unreadable_field = [this](absl::string_view path) { left_out.emplace_back(path); };
    status = Read(text, message, options);
  }
  absl::Status status;
  std::vector<std::string> left_out;
};

// ---- The rule. ----

template <typename T>
class LenientResource : public testing::Test {};
using Resources =
    testing::Types<v1::Session, v1::OrderItem, v1::Device, v1::Enrollment, v1::Location>;
TYPED_TEST_SUITE(LenientResource, Resources);

TYPED_TEST(LenientResource, NoValueOfAMemberChangesTheOthers) {
  TypeParam sample;
  ipp::test::FillSample(&sample);
  for (int i = 0; i < sample.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* member = sample.GetDescriptor()->field(i);
    if (!ipp::test::IsWord(member)) continue;
    for (const std::string& odd : ipp::test::OddValues()) {
      TypeParam read;
      const Lenient lenient(&read, ipp::test::JsonWith(sample, member, odd));
      EXPECT_TRUE(lenient.status.ok()) << member->name() << ": " << odd << lenient.status;
      EXPECT_TRUE(ipp::test::SameButFor(member, read, sample))
          << member->name() << ": " << odd << "\n"
          << read.DebugString();
      std::string bytes;  // gRPC sends only what is UTF-8
      EXPECT_TRUE(Write(read, &bytes).ok()) << member->name() << ": " << odd;
    }
  }
}

TEST(LenientRead, NoMemberOfAnOrderLineChangesTheSession) {
  v1::Session sample;
  ipp::test::FillSample(&sample);
  const FieldDescriptor* lines = v1::Session::descriptor()->FindFieldByName("order_items");
  const v1::OrderItem& line = sample.order_items(0);
  for (int i = 0; i < line.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* member = line.GetDescriptor()->field(i);
    if (!ipp::test::IsWord(member)) continue;
    for (const std::string& odd : ipp::test::OddValues()) {
      const std::string list = absl::StrCat("[", ipp::test::JsonWith(line, member, odd), "]");
      v1::Session read;
      const Lenient lenient(&read, ipp::test::JsonWith(sample, lines, list));
      ASSERT_TRUE(lenient.status.ok()) << lenient.status;
      EXPECT_TRUE(ipp::test::SameButFor(lines, read, sample)) << list;
      ASSERT_EQ(read.order_items_size(), 1) << list;
      EXPECT_TRUE(ipp::test::SameButFor(member, read.order_items(0), line)) << list;
    }
  }
}

// ---- What is left out, and what it is called. ----

struct OddRow {
  const char* name;
  const char* json;
  const char* path;  // null: it can be read
};
void PrintTo(const OddRow& row, std::ostream* out) { *out << row.name; }

class LenientValue : public testing::TestWithParam<OddRow> {};

TEST_P(LenientValue, IsLeftOutOrRead) {
  Kinds kinds;
  const Lenient lenient(
      &kinds, absl::StrCat("{\"int64_field\":5,", GetParam().json, ",\"otherName\":\"b\"}"));
  ASSERT_TRUE(lenient.status.ok()) << lenient.status;
  EXPECT_EQ(kinds.int64_field(), 5);
  EXPECT_EQ(kinds.renamed(), "b");
  if (GetParam().path == nullptr) {
    EXPECT_THAT(lenient.left_out, IsEmpty());
  } else {
    EXPECT_THAT(lenient.left_out, ElementsAre(GetParam().path));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Table, LenientValue,
    testing::Values(
        OddRow{"Fraction", R"("int32_field":1.5)", "int32_field"},
        OddRow{"TooLarge", R"("int32_field":4294967296)", "int32_field"},
        OddRow{"ObjectForText", R"("string_field":{"int64_field":9})", "string_field"},
        OddRow{"ArrayForText", R"("string_field":["a",{"b":[]}])", "string_field"},
        OddRow{"HalfACharacter", R"("string_field":"caf\ud83d")", "string_field"},
        OddRow{"TwoFirstHalves", R"("string_field":"\ud83d\ud83d\ude00")", "string_field"},
        OddRow{"AWholeCharacter", R"("string_field":"\ud83d\ude00")", nullptr},
        OddRow{"NotUtf8", "\"string_field\":\"\xe5\"", "string_field"},
        OddRow{"Epoch", R"("time":1790000000)", "time"},
        OddRow{"NoZone", R"("time":"2026-09-21T14:13:20")", "time"},
        OddRow{"EmptyTime", R"("time":"")", "time"},
        OddRow{"OffsetWithoutColon", R"("time":"2026-09-21T14:13:20+0000")", nullptr},
        OddRow{"WordInAnotherCase", R"("colour":"dark_Blue")", nullptr},
        OddRow{"UnknownWord", R"("colour":"MAUVE")", nullptr},
        OddRow{"UnknownWordWithoutAPlace", R"("paper":"A5")", "paper"},
        OddRow{"EmptyWord", R"("colour":"")", "colour"},
        OddRow{"TruthInQuotes", R"("bool_field":"True")", nullptr},
        OddRow{"NumberForTruth", R"("bool_field":1)", "bool_field"},
        OddRow{"TextForMessage", R"("child":"x")", "child"},
        OddRow{"InAMessage", R"("child":{"int64_field":{},"string_field":"s"})",
               "child.int64_field"},
        OddRow{"WrongElement", R"("int32s":[1,"x",{},[2],3])", "int32s[]"},
        OddRow{"NullElement", R"("children":[{},null,{}])", "children[]"},
        OddRow{"ListIsNone", R"("int32s":{"a":1})", "int32s"},
        OddRow{"MapIsNone", R"("texts":[1])", "texts"},
        OddRow{"MapValue", R"("numbers":{"a":1,"b":{"c":[]}})", "numbers"},
        OddRow{"MapKey", R"("flags":{"x":true,"2":true})", "flags"},
        OddRow{"MapOfMessages", R"("messages":{"a":{"int64_field":[]}})", "messages.int64_field"},
        OddRow{"MapKeyNotText", R"("texts":{"\ud83d":"a","b":"c"})", "texts"},
        OddRow{"MapTextNotText", R"("texts":{"a":["\ud83d"],"b":"c"})", "texts"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(LenientRead, KeepsAListWholeOrLeavesItOut) {
  Kinds kinds;
  ASSERT_TRUE(Lenient(&kinds, R"({"children":[{"int64_field":1},7,{}],"int32s":[4]})").status.ok());
  EXPECT_EQ(kinds.children_size(), 0);
  EXPECT_THAT(kinds.int32s(), ElementsAre(4));
}

TEST(LenientRead, LeavesOnlyTheEntryOutOfAMap) {
  Kinds kinds;
  ASSERT_TRUE(
      Lenient(&kinds, R"({"numbers":{"a":1,"b":"x","c":3},"texts":{"\ud83d":"a","b":{"c": 1}}})")
          .status.ok());
  EXPECT_EQ(kinds.numbers().size(), 2u);
  EXPECT_EQ(kinds.numbers().at("c"), 3);
  EXPECT_EQ(kinds.texts().size(), 1u);
  EXPECT_EQ(kinds.texts().at("b"), R"({"c":1})");
}

TEST(LenientRead, LeavesAnEarlierValueOfTheSameKey) {
  Kinds kinds;
  ASSERT_TRUE(Lenient(&kinds, R"({"int64_field":1,"int64_field":{}})").status.ok());
  EXPECT_EQ(kinds.int64_field(), 1);
}

TEST(LenientRead, NamesWhatItLeftOutInTheMessage) {
  v1::Session session;
  ASSERT_TRUE(Lenient(&session, R"({"session_id":"s","status":"active","purchase_started_at":"",
      "order_items":[{"quantity":1.5},{"quantity":2.5,"type":"Physical"}],"merchant_data":{}})")
                  .status.ok());
  EXPECT_THAT(session.unreadable_fields(),
              ElementsAre("purchase_started_at", "order_items[].quantity", "merchant_data"));
  EXPECT_EQ(session.status(), v1::SESSION_STATUS_ACTIVE);
  EXPECT_EQ(session.order_items(1).type(), v1::ORDER_ITEM_TYPE_PHYSICAL);
}

TEST(LenientRead, TakesNoPathsFromTheText) {
  v1::Session session;
  ASSERT_TRUE(Lenient(&session, R"({"unreadable_fields":["hunter2"]})").status.ok());
  EXPECT_THAT(session.unreadable_fields(), IsEmpty());
}

TEST(LenientRead, NamesWhatItLeftOutInTheItemOfAPage) {
  v1::ListDevicesResponse page;
  Kinds envelope;
  ReadOptions options;
  options.lenient = true;
  const auto* items = page.GetDescriptor()->FindFieldByName("devices");
  ASSERT_TRUE(ReadPage(R"({"content":[{"id":"a"},{"id":"b","metadata":7}],"bool_field":[]})",
                       "content", items, &page, &envelope, options)
                  .ok());
  EXPECT_THAT(page.devices(0).unreadable_fields(), IsEmpty());
  EXPECT_THAT(page.devices(1).unreadable_fields(), ElementsAre("metadata"));
}

TEST(LenientRead, DoesNotDoWithoutTheItemsOfAPage) {
  for (const char* content : {"{}", "7", "[7]", "[{},null]", "[[]]", "\"x\""}) {
    v1::ListDevicesResponse page;
    Kinds envelope;
    ReadOptions options;
    options.lenient = true;
    const auto* items = page.GetDescriptor()->FindFieldByName("devices");
    EXPECT_FALSE(ReadPage(absl::StrCat("{\"content\":", content, "}"), "content", items, &page,
                          &envelope, options)
                     .ok())
        << content;
  }
}

TEST(LenientRead, PassesOverAByteOrderMark) {
  Kinds kinds;
  EXPECT_TRUE(Lenient(&kinds, "\xef\xbb\xbf{\"int64_field\":5}").status.ok());
  EXPECT_EQ(kinds.int64_field(), 5);
}

class LenientBroken : public testing::TestWithParam<std::string> {};

TEST_P(LenientBroken, FailsAsEver) {
  Kinds kinds;
  EXPECT_EQ(Lenient(&kinds, GetParam()).status.code(), absl::StatusCode::kInvalidArgument);
}

INSTANTIATE_TEST_SUITE_P(Every, LenientBroken,
                         testing::Values("", "[]", "null", "\"x\"", "{", "{}{}", "{\"a\":}",
                                         "{\"string_field\":\"x", "{\"int64_field\":01}",
                                         "{\"string_field\":\"\\ud8", "{\"string_field\":\"\xff",
                                         "{\"a\":" + std::string(100, '[')));

struct TimeRow {
  const char* text;
  int64_t seconds;  // 0: none
  int32_t nanos;
};

TEST(LenientRead, TakesTimesThatMeanTheSame) {
  for (const TimeRow& row :
       std::vector<TimeRow>{{"2026-09-21T16:13:20+0200", 1790000000, 0},
                            {"2026-09-21T16:13:20+02", 1790000000, 0},
                            {"2026-09-21 14:13:20Z", 1790000000, 0},
                            {"2026-09-21T14:13:20,5Z", 1790000000, 500000000},
                            {"2026-09-21T14:13:20.1234567899Z", 1790000000, 123456789},
                            {"2026-09-21T14:13Z", 1789999980, 0},
                            {"2026-09-21T14:13:20", 0, 0},
                            {"2026-09-21T14:13:20+", 0, 0},
                            {"2026-09-21T14:13:20+2", 0, 0},
                            {"2026-09-21T14:13:20+02:", 0, 0},
                            {"2026-09-21T14:13:20+020", 0, 0},
                            {"2026-09-21T14:13:20+2400", 0, 0},
                            {"2026-09-21", 0, 0},
                            {"", 0, 0}}) {
    Kinds kinds;
    ASSERT_TRUE(Lenient(&kinds, absl::StrCat("{\"time\":\"", row.text, "\"}")).status.ok());
    EXPECT_EQ(kinds.has_time(), row.seconds != 0) << row.text;
    EXPECT_EQ(kinds.time().seconds(), row.seconds) << row.text;
    EXPECT_EQ(kinds.time().nanos(), row.nanos) << row.text;
  }
}

}  // namespace
}  // namespace ipp::json
