#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "google/protobuf/util/message_differencer.h"
#include "gtest/gtest.h"
#include "kustom/ipp/v1/device.pb.h"
#include "kustom/ipp/v1/session.pb.h"
#include "server/json/message_json.h"
#include "tests/json/kinds.pb.h"

namespace ipp::json {
namespace {

namespace v1 = kustom::ipp::v1;
using test::Kinds;
using ::testing::ElementsAre;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

Kinds MustRead(const std::string& text) {
  Kinds kinds;
  const absl::Status status = Read(text, &kinds);
  EXPECT_TRUE(status.ok()) << text << ": " << status;
  return kinds;
}

TEST(JsonRead, TakesADeviceAsTheUpstreamPrintsIt) {
  v1::Device device;
  const absl::Status status = Read(
      R"({"id": "d-1", "hardware_id": "sim-1", "merchant_id": "DM1", "location_id": null,
          "name": "Kassa \u00e5\n1", "platform": "IOS", "metadata": {"store_id": "123"},
          "created_at": "2026-09-21T14:13:20Z", "open_cash_register_id": 9007199254740993,
          "credentials": {"bearer_token": "t", "issuedAt": "2024-01-15T10:30:00.000000001Z"}})",
      &device);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(device.id(), "d-1");
  EXPECT_EQ(device.location_id(), "");
  EXPECT_EQ(device.name(), "Kassa å\n1");
  EXPECT_EQ(device.platform(), v1::DEVICE_PLATFORM_IOS);
  EXPECT_THAT(device.metadata(), UnorderedElementsAre(Pair("store_id", "123")));
  EXPECT_EQ(device.created_at().seconds(), 1790000000);
  EXPECT_EQ(device.open_cash_register_id(), 9007199254740993);
  EXPECT_EQ(device.credentials().issued_at().nanos(), 1);
}

TEST(JsonRead, TakesRepeatedMessages) {
  v1::Session session;
  ASSERT_TRUE(Read(R"({"order_items":[{"type":"physical","unit_price":-5},{},{"tax_rate":2500}]})",
                   &session)
                  .ok());
  ASSERT_EQ(session.order_items_size(), 3);
  EXPECT_EQ(session.order_items(0).type(), v1::ORDER_ITEM_TYPE_PHYSICAL);
  EXPECT_EQ(session.order_items(0).unit_price(), -5);
  EXPECT_EQ(session.order_items(2).tax_rate(), 2500);
}

TEST(JsonRead, TakesEveryKindInListsAndMaps) {
  const Kinds kinds = MustRead(R"({
      "int32s": [1, "-2", 3.0], "int64s": [], "uint64s": [18446744073709551615],
      "floats": [0.5, -1e3], "doubles": [0.1], "bools": [true, false], "strings": ["a", 1.50, true],
      "byteses": ["AQI="], "colours": ["RED", "MAUVE"], "times": ["1970-01-01T00:00:01Z"],
      "children": [{"child": {"int32_field": 7}}],
      "numbers": {"a": 1, "b": "2"}, "messages": {"m": {"bool_field": true}},
      "flags": {"-5": true}, "colours_by_flag": {"true": "GREEN"},
      "times_by_number": {"9": "1970-01-01T00:00:02Z"}})");
  EXPECT_THAT(kinds.int32s(), ElementsAre(1, -2, 3));
  EXPECT_THAT(kinds.uint64s(), ElementsAre(std::numeric_limits<uint64_t>::max()));
  EXPECT_THAT(kinds.floats(), ElementsAre(0.5f, -1000.0f));
  EXPECT_THAT(kinds.doubles(), ElementsAre(0.1));
  EXPECT_THAT(kinds.bools(), ElementsAre(true, false));
  EXPECT_THAT(kinds.strings(), ElementsAre("a", "1.50", "true"));
  EXPECT_THAT(kinds.byteses(), ElementsAre("\x01\x02"));
  EXPECT_THAT(kinds.colours(), ElementsAre(test::COLOUR_RED, test::COLOUR_UNSPECIFIED));
  EXPECT_EQ(kinds.times(0).seconds(), 1);
  EXPECT_EQ(kinds.children(0).child().int32_field(), 7);
  EXPECT_THAT(kinds.numbers(), UnorderedElementsAre(Pair("a", 1), Pair("b", 2)));
  EXPECT_TRUE(kinds.messages().at("m").bool_field());
  EXPECT_THAT(kinds.flags(), UnorderedElementsAre(Pair(-5, true)));
  EXPECT_EQ(kinds.colours_by_flag().at(true), test::GREEN);
  EXPECT_EQ(kinds.times_by_number().at(9).seconds(), 2);
}

TEST(JsonRead, LeavesFieldsAloneThatAreNullOrAbsent) {
  Kinds kinds;
  kinds.set_string_field("before");
  kinds.set_int64_field(5);
  kinds.mutable_child()->set_int32_field(6);
  ASSERT_TRUE(Read(R"({"string_field":null,"child":null,"int32s":null,"texts":null,
                       "optional_int64":null,"time":null,"colour":null})",
                   &kinds)
                  .ok());
  EXPECT_EQ(kinds.string_field(), "before");
  EXPECT_EQ(kinds.int64_field(), 5);
  EXPECT_EQ(kinds.child().int32_field(), 6);
  EXPECT_FALSE(kinds.has_optional_int64());
  EXPECT_FALSE(kinds.has_time());
}

TEST(JsonRead, SetsPresenceOfOptionalFieldsAlsoWhenEmpty) {
  const Kinds kinds =
      MustRead(R"({"optional_int64":0,"optional_string":"","optional_bool":false})");
  EXPECT_TRUE(kinds.has_optional_int64());
  EXPECT_TRUE(kinds.has_optional_string());
  EXPECT_TRUE(kinds.has_optional_bool());
}

TEST(JsonRead, KeepsTheLastOfTheMembersOfAOneof) {
  const Kinds kinds = MustRead(R"({"choice_string":"a","choice_child":{},"choice_int64":3})");
  EXPECT_EQ(kinds.choice_case(), Kinds::kChoiceInt64);
}

TEST(JsonRead, LetsTheLastOfTwoEqualKeysWin) {
  const Kinds kinds = MustRead(R"({"int64_field":1,"child":{"int32_field":1,"bool_field":true},
      "colour":"MAUVE","texts":{"a":"1","b":"2","a":"3","a":{}},"numbers":{"n":1,"n":2},
      "int64_field":2,"child":{"int32_field":2},"colour":"RED"})");
  EXPECT_EQ(kinds.int64_field(), 2);
  EXPECT_EQ(kinds.child().int32_field(), 2);
  EXPECT_FALSE(kinds.child().bool_field());
  EXPECT_EQ(kinds.colour(), test::COLOUR_RED);
  EXPECT_EQ(kinds.colour_raw(), "");
  EXPECT_THAT(kinds.texts(), UnorderedElementsAre(Pair("a", "{}"), Pair("b", "2")));
  EXPECT_THAT(kinds.numbers(), UnorderedElementsAre(Pair("n", 2)));
}

TEST(JsonRead, AppendsToListsAndMaps) {
  Kinds kinds;
  kinds.add_int32s(1);
  (*kinds.mutable_texts())["a"] = "1";
  (*kinds.mutable_texts())["b"] = "2";
  ASSERT_TRUE(Read(R"({"int32s":[2],"int32s":[3],"texts":{"b":"3"}})", &kinds).ok());
  EXPECT_THAT(kinds.int32s(), ElementsAre(1, 2, 3));
  EXPECT_THAT(kinds.texts(), UnorderedElementsAre(Pair("a", "1"), Pair("b", "3")));
}

TEST(JsonRead, KeepsMapValuesThatAreNoStringsAsTheirText) {
  const Kinds kinds = MustRead(
      "{\"texts\": { \"n\" : 12.50 , \"t\":true, \"z\":null, \"e\":\"\", \"big\":1e30,\n"
      "  \"o\": { \"a\" : [ 1 , \"b  c\\\\\\\" \" ] ,\t\"d\":{ } }, \"l\":[ ], \"s\":\"x\" }}");
  EXPECT_THAT(
      kinds.texts(),
      UnorderedElementsAre(Pair("n", "12.50"), Pair("t", "true"), Pair("z", "null"), Pair("e", ""),
                           Pair("big", "1e30"), Pair("o", R"({"a":[1,"b  c\\\" "],"d":{}})"),
                           Pair("l", "[]"), Pair("s", "x")));
}

TEST(JsonRead, KeepsAnUnknownEnumWordBesideTheEnum) {
  v1::Session session;
  ASSERT_TRUE(Read(R"({"status":"PAUSED","order_items":[{"type":"PHYSICAL"}]})", &session).ok());
  EXPECT_EQ(session.status(), v1::SESSION_STATUS_UNSPECIFIED);
  EXPECT_EQ(session.status_raw(), "PAUSED");
  EXPECT_EQ(session.order_items(0).type_raw(), "PHYSICAL") << "the words are lower case here";
}

TEST(JsonRead, AnUnknownEnumWordReplacesAnEarlierValue) {
  v1::Session session;
  session.set_status(v1::SESSION_STATUS_ACTIVE);
  ASSERT_TRUE(Read(R"({"status":"PAUSED"})", &session).ok());
  EXPECT_EQ(session.status(), v1::SESSION_STATUS_UNSPECIFIED);
}

TEST(JsonRead, ReportsUnknownFieldsByAPathWithoutDataOfTheirSurroundings) {
  std::vector<std::string> unknown;
  ReadOptions options;
  options.unknown_field = [&](absl::string_view path) { unknown.emplace_back(path); };
  Kinds kinds;
  ASSERT_TRUE(Read(R"({"new":{"deep":{"er":1}},"children":[{},{"a b":[1,[2]]}],
                       "messages":{"secret-key":{"x":null}},"colour_raw":"RED",
                       "time":"1970-01-01T00:00:01Z","int32_field":4})",
                   &kinds, options)
                  .ok());
  EXPECT_THAT(unknown, ElementsAre("new", "children[].a?b", "messages.x", "colour_raw"));
  EXPECT_EQ(kinds.int32_field(), 4) << "reading goes on behind an unknown value";
  EXPECT_EQ(kinds.colour_raw(), "");
}

TEST(JsonRead, CutsALongUnknownKeyInItsPath) {
  std::string unknown;
  ReadOptions options;
  options.unknown_field = [&](absl::string_view path) { unknown = std::string(path); };
  Kinds kinds;
  ASSERT_TRUE(Read("{\"" + std::string(100'000, 'k') + "\":1}", &kinds, options).ok());
  EXPECT_EQ(unknown, std::string(64, 'k'));
}

TEST(JsonRead, TakesAnExplicitJsonNameAndNoOther) {
  const Kinds kinds = MustRead(R"({"otherName":"yes","renamed":"no","int32Field":3})");
  EXPECT_EQ(kinds.renamed(), "yes");
  EXPECT_EQ(kinds.int32_field(), 0);
}

TEST(JsonRead, FindsFieldsInAnyOrder) {
  const Kinds forward = MustRead(R"({"int32_field":1,"uint32_field":2,"string_field":"s"})");
  const Kinds backward = MustRead(R"({"string_field":"s","uint32_field":2,"int32_field":1})");
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(forward, backward));
}

TEST(JsonRead, UnescapesStringsWhereverTheEscapeStands) {
  const Kinds kinds = MustRead(
      R"({"strings":["\"\\\/\b\f\n\r\t","\u0041b\u00e5c\u20ac","\ud83d\ude00","a\u0000b","å€😀","\u00e5"]})");
  EXPECT_THAT(kinds.strings(),
              ElementsAre("\"\\/\b\f\n\r\t", "Abåc€", "😀", std::string("a\0b", 3), "å€😀", "å"));
}

TEST(JsonRead, TakesTextsLargerThanItsBufferOnTheStack) {
  const std::string large(100'000, 'x');
  EXPECT_EQ(MustRead("{\"string_field\":\"" + large + "\"}").string_field(), large);
  // Around the border, where the closing zero byte needs its place too.
  for (size_t size = 4060; size < 4110; ++size) {
    const std::string value(size, 'y');
    EXPECT_EQ(MustRead("{\"string_field\":\"" + value + "\"}").string_field(), value);
  }
}

TEST(JsonReadPage, SplitsItemsFromTheEnvelope) {
  v1::ListDevicesResponse page;
  Kinds envelope;
  std::vector<std::string> unknown;
  ReadOptions options;
  options.unknown_field = [&](absl::string_view path) { unknown.emplace_back(path); };
  const auto* items = v1::ListDevicesResponse::descriptor()->FindFieldByName("devices");
  const absl::Status status = ReadPage(
      R"({"int64_field":41,"content":[{"id":"a","x":1},{"id":"b"}],"devices":[],"bool_field":true})",
      "content", items, &page, &envelope, options);
  ASSERT_TRUE(status.ok()) << status;
  ASSERT_EQ(page.devices_size(), 2);
  EXPECT_EQ(page.devices(1).id(), "b");
  EXPECT_EQ(envelope.int64_field(), 41);
  EXPECT_TRUE(envelope.bool_field());
  EXPECT_THAT(unknown, ElementsAre("content[].x", "devices"));
}

TEST(JsonReadPage, NamesTheItemsKeyInErrors) {
  v1::ListDevicesResponse page;
  Kinds envelope;
  const auto* items = v1::ListDevicesResponse::descriptor()->FindFieldByName("devices");
  EXPECT_EQ(ReadPage(R"({"content":[{},{"id":[]}]})", "content", items, &page, &envelope).message(),
            "content[1].id: expected a string");
}

TEST(JsonReadPage, RefusesAFieldThatIsNoListOfTheMessage) {
  v1::ListDevicesResponse page;
  Kinds envelope;
  const auto* foreign = v1::Session::descriptor()->FindFieldByName("order_items");
  EXPECT_FALSE(ReadPage("{}", "content", foreign, &page, &envelope).ok());
}

struct NumberRow {
  const char* name;
  const char* field;
  const char* json;
  const char* stored;  // as protobuf prints it; null: refused
};

class JsonNumber : public ::testing::TestWithParam<NumberRow> {};

TEST_P(JsonNumber, IsExactOrRefused) {
  const NumberRow& row = GetParam();
  Kinds kinds;
  const absl::Status status = Read(std::string("{\"") + row.field + "\":" + row.json + "}", &kinds);
  if (row.stored == nullptr) {
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << kinds.ShortDebugString();
    return;
  }
  ASSERT_TRUE(status.ok()) << status;
  const auto* field = Kinds::descriptor()->FindFieldByName(row.field);
  std::string printed;
  google::protobuf::TextFormat::PrintFieldValueToString(kinds, field, -1, &printed);
  EXPECT_EQ(printed, row.stored);
}

INSTANTIATE_TEST_SUITE_P(
    Table, JsonNumber,
    ::testing::Values(
        NumberRow{"Int64Max", "int64_field", "9223372036854775807", "9223372036854775807"},
        NumberRow{"Int64Min", "int64_field", "-9223372036854775808", "-9223372036854775808"},
        NumberRow{"Int64OneTooMany", "int64_field", "9223372036854775808", nullptr},
        NumberRow{"Int64OneTooFew", "int64_field", "-9223372036854775809", nullptr},
        NumberRow{"Int64QuotedMax", "int64_field", "\"9223372036854775807\"",
                  "9223372036854775807"},
        NumberRow{"Int64QuotedTooMany", "int64_field", "\"9223372036854775808\"", nullptr},
        NumberRow{"AboveDoublesWholeRange", "int64_field", "9007199254740993", "9007199254740993"},
        NumberRow{"MaxWithFraction", "int64_field", "9223372036854775807.000",
                  "9223372036854775807"},
        NumberRow{"MaxWithExponent", "int64_field", "922337203685477580.7e1",
                  "9223372036854775807"},
        NumberRow{"TooManyWithExponent", "int64_field", "922337203685477580.8e1", nullptr},
        NumberRow{"EmptyFraction", "int64_field", "25.0", "25"},
        NumberRow{"Exponent", "int64_field", "1e3", "1000"},
        NumberRow{"ExponentWithPlus", "int64_field", "-12E+2", "-1200"},
        NumberRow{"NegativeExponentStillWhole", "int64_field", "1200e-2", "12"},
        NumberRow{"NegativeExponentNotWhole", "int64_field", "1250e-2", nullptr},
        NumberRow{"Fraction", "int64_field", "25.5", nullptr},
        NumberRow{"SmallFraction", "int64_field", "0.0000000000000000000000001", nullptr},
        NumberRow{"MinusZero", "int64_field", "-0", "0"},
        NumberRow{"MinusZeroFraction", "int64_field", "-0.000", "0"},
        NumberRow{"ZeroWithExponent", "int64_field", "0e-99999999999999999999", "0"},
        NumberRow{"HugeExponent", "int64_field", "1e300", nullptr},
        NumberRow{"ExponentBeyondDouble", "int64_field", "1e999999999", nullptr},
        NumberRow{"HugeNegativeExponent", "int64_field", "1e-99999999999999999999", nullptr},
        NumberRow{"QuotedFraction", "int64_field", "\"25.0\"", nullptr},
        NumberRow{"QuotedSpace", "int64_field", "\" 25\"", nullptr},
        NumberRow{"QuotedPlus", "int64_field", "\"+25\"", nullptr},
        NumberRow{"QuotedEmpty", "int64_field", "\"\"", nullptr},
        NumberRow{"QuotedMinus", "int64_field", "\"-\"", nullptr},
        NumberRow{"QuotedHex", "int64_field", "\"0x10\"", nullptr},
        NumberRow{"QuotedNegative", "int64_field", "\"-25\"", "-25"},
        NumberRow{"LeadingZero", "int64_field", "025", nullptr},
        NumberRow{"LeadingPlus", "int64_field", "+25", nullptr},
        NumberRow{"NoDigitsAfterPoint", "int64_field", "25.", nullptr},
        NumberRow{"NotANumber", "int64_field", "NaN", nullptr},
        NumberRow{"Int32Max", "int32_field", "2147483647", "2147483647"},
        NumberRow{"Int32Min", "int32_field", "-2147483648", "-2147483648"},
        NumberRow{"Int32TooMany", "int32_field", "2147483648", nullptr},
        NumberRow{"Uint32Max", "uint32_field", "4294967295", "4294967295"},
        NumberRow{"Uint32TooMany", "uint32_field", "4294967296", nullptr},
        NumberRow{"Uint64Max", "uint64_field", "18446744073709551615", "18446744073709551615"},
        NumberRow{"Uint64MaxWithExponent", "uint64_field", "1844674407370955161.5e1",
                  "18446744073709551615"},
        NumberRow{"Uint64TooMany", "uint64_field", "18446744073709551616", nullptr},
        NumberRow{"Uint64Negative", "uint64_field", "-1", nullptr},
        NumberRow{"Uint64QuotedNegative", "uint64_field", "\"-1\"", nullptr},
        NumberRow{"Uint64MinusZero", "uint64_field", "-0", "0"},
        NumberRow{"Double", "double_field", "0.1", "0.1"},
        NumberRow{"DoubleWhole", "double_field", "-25", "-25"},
        NumberRow{"DoubleMinusZero", "double_field", "-0.0", "-0"},
        NumberRow{"DoubleMax", "double_field", "1.7976931348623157e308", "1.7976931348623157e+308"},
        NumberRow{"DoubleTooLarge", "double_field", "1.8e308", nullptr},
        NumberRow{"DoubleTooSmall", "double_field", "1e-999", "0"},
        NumberRow{"DoubleQuoted", "double_field", "\"0.1\"", nullptr},
        NumberRow{"FloatMax", "float_field", "3.4028235e38", "3.40282347e+38"},
        NumberRow{"FloatTooLarge", "float_field", "3.5e38", nullptr}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(JsonNumberText, MayHaveAHundredThousandDigits) {
  const std::string zeros(100'000, '0');
  EXPECT_EQ(MustRead("{\"int64_field\":5." + zeros + "}").int64_field(), 5);
  EXPECT_EQ(MustRead("{\"int64_field\":0." + zeros + "1e100001}").int64_field(), 1);
  EXPECT_EQ(MustRead("{\"double_field\":0." + zeros + "1}").double_field(), 0);
  Kinds kinds;
  EXPECT_FALSE(Read("{\"int64_field\":0." + zeros + "1}", &kinds).ok());
  EXPECT_FALSE(Read("{\"int64_field\":1" + zeros + "}", &kinds).ok());
  EXPECT_FALSE(Read("{\"new\":1" + zeros + "}", &kinds).ok()) << "not even where it is not needed";
}

}  // namespace
}  // namespace ipp::json
