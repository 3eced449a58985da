#include <string>

#include "gtest/gtest.h"
#include "kustom/ipp/v1/device.pb.h"
#include "server/json/message_json.h"
#include "tests/json/kinds.pb.h"

namespace ipp::json {
namespace {

using test::Kinds;

struct BadRow {
  const char* name;
  const char* json;
  const char* message;
};

class JsonBadInput : public ::testing::TestWithParam<BadRow> {};

TEST_P(JsonBadInput, IsRefusedWithItsPathAndWithoutItsValue) {
  Kinds kinds;
  const absl::Status status = Read(GetParam().json, &kinds);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(std::string(status.message()), GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    WrongKind, JsonBadInput,
    ::testing::Values(
        BadRow{"StringForInteger", R"({"int64_field":"hunter2"})",
               "int64_field: expected a whole number"},
        BadRow{"BoolForInteger", R"({"int32_field":true})", "int32_field: expected a whole number"},
        BadRow{"ObjectForInteger", R"({"uint64_field":{}})",
               "uint64_field: expected a whole number"},
        BadRow{"TooLarge", R"({"int32_field":4294967296})", "int32_field: number out of range"},
        BadRow{"StringForDouble", R"({"double_field":"1"})", "double_field: expected a number"},
        BadRow{"TooLargeForFloat", R"({"float_field":1e39})", "float_field: number out of range"},
        BadRow{"StringForBool", R"({"bool_field":"true"})", "bool_field: expected true or false"},
        BadRow{"NumberForBool", R"({"bool_field":1})", "bool_field: expected true or false"},
        BadRow{"ObjectForString", R"({"string_field":{"a":1}})", "string_field: expected a string"},
        BadRow{"ArrayForString", R"({"string_field":["a"]})", "string_field: expected a string"},
        BadRow{"NumberForEnum", R"({"colour":1})", "colour: expected a string"},
        BadRow{"NumberForTime", R"({"time":1790000000})", "time: expected a time"},
        BadRow{"ObjectForTime", R"({"time":{"seconds":1}})", "time: expected a time"},
        BadRow{"NotATime", R"({"time":"soon"})", "time: not an RFC 3339 time"},
        BadRow{"NumberForBytes", R"({"bytes_field":1})", "bytes_field: expected a string"},
        BadRow{"NotBase64", R"({"bytes_field":"!"})", "bytes_field: not base64"},
        BadRow{"StringForMessage", R"({"child":"x"})", "child: expected an object"},
        BadRow{"ArrayForMessage", R"({"child":[{}]})", "child: expected an object"},
        BadRow{"NumberForList", R"({"int32s":1})", "int32s: expected an array"},
        BadRow{"ObjectForList", R"({"children":{}})", "children: expected an array"},
        BadRow{"ArrayForMap", R"({"texts":[]})", "texts: expected an object"},
        BadRow{"StringForMap", R"({"texts":"x"})", "texts: expected an object"},
        BadRow{"WrongElement", R"({"int32s":[1,2,"x"]})", "int32s[2]: expected a whole number"},
        BadRow{"NullElement", R"({"children":[{},null]})", "children[1]: null among values"},
        BadRow{"ArrayInArray", R"({"int32s":[[1]]})", "int32s[0]: expected a whole number"},
        BadRow{"StringForElementMessage", R"({"children":["x"]})",
               "children[0]: expected an object"},
        BadRow{"Deep", R"({"children":[{},{"child":{"int64s":[1,true]}}]})",
               "children[1].child.int64s[1]: expected a whole number"},
        BadRow{"BehindAList", R"({"children":[{},{}],"child":{"int64_field":{}}})",
               "child.int64_field: expected a whole number"},
        BadRow{"MapValue", R"({"numbers":{"a":1,"secret":"x"}})",
               "numbers: expected a whole number"},
        BadRow{"MapNull", R"({"numbers":{"a":null}})", "numbers: null among values"},
        BadRow{"MapValueArray", R"({"numbers":{"a":[]}})", "numbers: expected a whole number"},
        BadRow{"MapMessageValue", R"({"messages":{"a":{"int64_field":"x"}}})",
               "messages.int64_field: expected a whole number"},
        BadRow{"MapMessageNotAnObject", R"({"messages":{"a":1}})", "messages: expected an object"},
        BadRow{"MapKey", R"({"flags":{"x":true}})", "flags: expected a whole number"},
        BadRow{"MapKeyBool", R"({"colours_by_flag":{"yes":"RED"}})",
               "colours_by_flag: a key that is neither true nor false"}),
    [](const auto& info) { return std::string(info.param.name); });

INSTANTIATE_TEST_SUITE_P(
    NotJson, JsonBadInput,
    ::testing::Values(
        BadRow{"Empty", "", "not valid JSON at byte 0: The document is empty."},
        BadRow{"Spaces", " \n", "not valid JSON at byte 2: The document is empty."},
        BadRow{"Array", "[]", "not a JSON object"}, BadRow{"String", "\"x\"", "not a JSON object"},
        BadRow{"Number", "1", "not a JSON object"}, BadRow{"Null", "null", "not a JSON object"},
        BadRow{"True", "true", "not a JSON object"},
        BadRow{"Html", "<html>", "not valid JSON at byte 0: Invalid value."},
        BadRow{"TwoObjects", "{}{}",
               "not valid JSON at byte 2: The document root must not be followed by other values."},
        BadRow{"TrailingComma", R"({"int32s":[1,]})",
               "int32s[0]: not valid JSON at byte 13: Invalid value."},
        BadRow{"TrailingCommaInObject", R"({"int32_field":1,})",
               "int32_field: not valid JSON at byte 17: Missing a name for object member."},
        BadRow{"Comment", "{/**/}", "not valid JSON at byte 1: Missing a name for object member."},
        BadRow{"SingleQuotes", "{'int32_field':1}",
               "not valid JSON at byte 1: Missing a name for object member."},
        BadRow{
            "NoColon", R"({"child":{"int32_field" 1}})",
            "child.int32_field: not valid JSON at byte 24: Missing a colon after a name of object "
            "member."},
        BadRow{"EndsInAString", R"({"string_field":"secret)",
               "string_field: not valid JSON at byte 23: Missing a closing quotation mark in "
               "string."},
        BadRow{"Infinity", R"({"double_field":Infinity})",
               "double_field: not valid JSON at byte 16: Invalid value."},
        BadRow{"BadEscape", R"({"string_field":"\x41"})",
               "string_field: not valid JSON at byte 17: Invalid escape character in string."},
        BadRow{"BadHex", R"({"string_field":"\u12g4"})",
               "string_field: not valid JSON at byte 17: Incorrect hex digit after \\u escape in "
               "string."},
        BadRow{"HighHalfAlone", R"({"string_field":"\ud83d"})",
               "string_field: not valid JSON at byte 17: The surrogate pair in string is invalid."},
        BadRow{"LowHalfAlone", R"({"string_field":"\ude00"})",
               "not valid JSON: half of a surrogate pair is escaped"},
        BadRow{"LowHalfInAnUnknownKey", R"({"\ude00":1})",
               "not valid JSON: half of a surrogate pair is escaped"},
        BadRow{"ControlCharacter", "{\"string_field\":\"a\nb\"}",
               "string_field: not valid JSON at byte 18: Invalid escape character in string."}),
    [](const auto& info) { return std::string(info.param.name); });

struct BytesRow {
  const char* name;
  std::string bytes;
};

class JsonBadUtf8 : public ::testing::TestWithParam<BytesRow> {};

TEST_P(JsonBadUtf8, IsRefusedInAStringAKeyAndAnUnknownValue) {
  const std::string& bytes = GetParam().bytes;
  Kinds kinds;
  EXPECT_FALSE(Read("{\"string_field\":\"ab" + bytes + "c\"}", &kinds).ok());
  EXPECT_FALSE(Read("{\"string_field\":\"" + bytes + "\"}", &kinds).ok());
  EXPECT_FALSE(Read("{\"" + bytes + "\":1}", &kinds).ok());
  EXPECT_FALSE(Read("{\"new\":[\"" + bytes + "\"]}", &kinds).ok());
  EXPECT_FALSE(Read("{\"string_field\":\"" + bytes, &kinds).ok()) << "at the very end";
}

TEST_P(JsonBadUtf8, IsRefusedWhenWriting) {
  Kinds kinds;
  // protobuf itself only logs a string that is not UTF-8.
  kinds.mutable_child()->set_string_field("a" + GetParam().bytes);
  std::string out = "before";
  const absl::Status status = Write(kinds, &out);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "child.string_field: not UTF-8");
  EXPECT_EQ(out, "before");
}

INSTANTIATE_TEST_SUITE_P(
    Table, JsonBadUtf8,
    ::testing::Values(BytesRow{"TailAlone", "\x80"}, BytesRow{"HeadAlone2", "\xc3"},
                      BytesRow{"HeadAlone3", "\xe2\x82"}, BytesRow{"HeadAlone4", "\xf0\x9f\x98"},
                      BytesRow{"HeadThenAscii", "\xe2x\x82"}, BytesRow{"Overlong2", "\xc0\xaf"},
                      BytesRow{"Overlong3", "\xe0\x80\xaf"},
                      BytesRow{"Overlong4", "\xf0\x80\x80\xaf"},
                      BytesRow{"Surrogate", "\xed\xa0\x80"},
                      BytesRow{"AboveUnicode", "\xf4\x90\x80\x80"}, BytesRow{"Byte5", "\xf8"},
                      BytesRow{"ByteFf", "\xff"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(JsonHostileInput, EveryTruncationOfADocumentIsAnError) {
  const std::string whole =
      R"({"id":"a\u00e5€","metadata":{"k":"v","n":-1.5e3,"o":{"a":[1,null,true,"x"]}},)"
      R"("created_at":"2026-09-21T14:13:20Z","new":[{"x":false}],"open_cash_register_id":12})";
  kustom::ipp::v1::Device device;
  ASSERT_TRUE(Read(whole, &device).ok());
  for (size_t size = 0; size < whole.size(); ++size) {
    // In memory of exactly that size, so that the address sanitizer sees a step too far.
    const std::string cut(whole, 0, size);
    EXPECT_FALSE(Read(cut, &device).ok()) << cut;
  }
}

TEST(JsonHostileInput, AZeroByteDoesNotEndTheText) {
  Kinds kinds;
  EXPECT_FALSE(Read(absl::string_view("{}\0", 3), &kinds).ok());
  EXPECT_FALSE(Read(absl::string_view("{}\0{", 4), &kinds).ok());
  EXPECT_FALSE(Read(absl::string_view("{\"string_field\":\"a\0b\"}", 22), &kinds).ok());
}

TEST(JsonHostileInput, NestingIsLimited) {
  const auto nested = [](int depth) {
    std::string text;
    for (int i = 0; i < depth; ++i) text += "{\"child\":";
    text += "{}";
    return text + std::string(static_cast<size_t>(depth), '}');
  };
  Kinds kinds;
  EXPECT_TRUE(Read(nested(31), &kinds).ok());
  EXPECT_FALSE(Read(nested(32), &kinds).ok());
  ReadOptions options;
  options.max_depth = 100;
  EXPECT_TRUE(Read(nested(99), &kinds, options).ok());
  EXPECT_FALSE(Read(nested(100), &kinds, options).ok());
}

TEST(JsonHostileInput, NestingIsLimitedWhereNoFieldTakesIt) {
  Kinds kinds;
  const std::string brackets(1'000'000, '[');
  EXPECT_EQ(Read("{\"new\":" + brackets, &kinds).message(), "nested too deep");
  EXPECT_EQ(Read("{\"texts\":{\"a\":" + brackets, &kinds).message(), "texts: nested too deep");
  EXPECT_EQ(Read(brackets, &kinds).message(), "not a JSON object");
}

TEST(JsonHostileInput, SizeIsLimited) {
  ReadOptions options;
  options.max_bytes = 20;
  Kinds kinds;
  EXPECT_TRUE(Read(R"({"string_field":"x"})", &kinds, options).ok());
  EXPECT_EQ(Read(R"({"string_field":"xy"})", &kinds, options).message(),
            "JSON text of 21 bytes is too long");
}

TEST(JsonHostileInput, AMapOfManyEqualKeysTakesNoLongerThanOthers) {
  std::string text = "{\"texts\":{\"a\":\"0\"";
  for (int i = 0; i < 100'000; ++i) text += ",\"a\":\"1\"";
  Kinds kinds;
  ASSERT_TRUE(Read(text + ",\"a\":\"last\"}}", &kinds).ok());
  ASSERT_EQ(kinds.texts().size(), 1u);
  EXPECT_EQ(kinds.texts().at("a"), "last");
}

}  // namespace
}  // namespace ipp::json
