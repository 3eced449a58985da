#include <atomic>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "google/protobuf/dynamic_message.h"
#include "gtest/gtest.h"
#include "kustom/ipp/v1/device.pb.h"
#include "kustom/ipp/v1/enrollment.pb.h"
#include "kustom/ipp/v1/session_event.pb.h"
#include "kustom/ipp/v1/simulation.pb.h"
#include "server/json/message_json.h"
#include "tests/json/kinds.pb.h"

namespace ipp::json {
namespace {

namespace v1 = kustom::ipp::v1;
using test::Kinds;

std::string MustWrite(const google::protobuf::Message& message, const FieldFilter& filter = {}) {
  std::string out;
  const absl::Status status = Write(message, &out, filter);
  EXPECT_TRUE(status.ok()) << status;
  return out;
}

TEST(JsonWrite, PrintsARequestAsTheUpstreamWantsIt) {
  v1::CreateSessionRequest request;
  request.set_request_id("kept here");
  request.set_device_id("d-1");
  request.set_order_amount(9007199254740993);
  request.set_purchase_currency("SEK");
  request.mutable_purchase_started_at()->set_seconds(1790000000);
  v1::OrderItem* item = request.add_order_items();
  item->set_type(v1::ORDER_ITEM_TYPE_SHIPPING_FEE);
  item->set_type_raw("never sent");
  item->set_name("Frakt");
  item->set_quantity(1);
  EXPECT_EQ(MustWrite(request, [](const auto* field) { return field->name() != "request_id"; }),
            R"({"device_id":"d-1","order_amount":9007199254740993,"order_tax_amount":0,)"
            R"("purchase_currency":"SEK","purchase_started_at":"2026-09-21T14:13:20Z",)"
            R"("order_items":[{"type":"shipping_fee","name":"Frakt","quantity":1,"unit_price":0,)"
            R"("total_amount":0,"tax_rate":0,"total_discount_amount":0,"total_tax_amount":0}]})");
}

TEST(JsonWrite, FilterIsForTheTopLevelOnly) {
  Kinds kinds;
  kinds.mutable_choice_child()->mutable_choice_child()->set_string_field("x");
  const std::string out =
      MustWrite(kinds, [](const auto* field) { return field->name() == "choice_child"; });
  EXPECT_EQ(out.find("{\"choice_child\":{\"int32_field\":0"), 0u) << out;
}

TEST(JsonWrite, LeavesOutWhatIsEmptyExceptNumbers) {
  EXPECT_EQ(MustWrite(v1::Device()), "{}");
  EXPECT_EQ(MustWrite(v1::DeviceSettings()), "{}");
  EXPECT_EQ(MustWrite(Kinds()),
            R"({"int32_field":0,"int64_field":0,"uint32_field":0,"uint64_field":0,)"
            R"("float_field":0.0,"double_field":0.0})");
}

TEST(JsonWrite, WritesOptionalFieldsThatArePresentAndEmpty) {
  v1::DeviceSettings settings;
  settings.set_name("");
  settings.set_location_id("");
  EXPECT_EQ(MustWrite(settings), R"({"name":"","location_id":""})");
  v1::CreateEnrollmentRequest request;
  request.set_expires_in(0);
  EXPECT_EQ(MustWrite(request), R"({"expires_in":0})");
}

TEST(JsonWrite, UsesAnExplicitJsonName) {
  v1::DeviceCredentials credentials;
  credentials.mutable_issued_at()->set_seconds(0);
  EXPECT_EQ(MustWrite(credentials), R"({"issuedAt":"1970-01-01T00:00:00Z"})");
}

TEST(JsonWrite, SortsMapsByKey) {
  v1::DeviceSettings settings;
  for (const char* key : {"b", "a", "ä", "", "c\n", "B"}) (*settings.mutable_metadata())[key] = key;
  EXPECT_EQ(MustWrite(settings),
            R"({"metadata":{"":"","B":"B","a":"a","b":"b","c\n":"c\n","ä":"ä"}})");
}

TEST(JsonWrite, EscapesStrings) {
  v1::DeviceSettings settings;
  settings.set_name(std::string("\"\\/\b\f\n\r\t\x01\x1f\x7f\0å€😀", 21));
  EXPECT_EQ(MustWrite(settings),
            "{\"name\":\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001F\x7f\\u0000å€😀\"}");
}

TEST(JsonWrite, WritesNumbersExactly) {
  Kinds kinds;
  kinds.set_int32_field(std::numeric_limits<int32_t>::min());
  kinds.set_int64_field(std::numeric_limits<int64_t>::min());
  kinds.set_uint32_field(std::numeric_limits<uint32_t>::max());
  kinds.set_uint64_field(std::numeric_limits<uint64_t>::max());
  kinds.set_float_field(0.1f);
  kinds.set_double_field(-1.7976931348623157e308);
  EXPECT_EQ(MustWrite(kinds),
            R"({"int32_field":-2147483648,"int64_field":-9223372036854775808,)"
            R"("uint32_field":4294967295,"uint64_field":18446744073709551615,)"
            R"("float_field":0.10000000149011612,"double_field":-1.7976931348623157e308})");
}

TEST(JsonWrite, AppendsBehindWhatIsThere) {
  std::string out = "x=";
  ASSERT_TRUE(Write(v1::Device(), &out).ok());
  EXPECT_EQ(out, "x={}");
}

TEST(JsonWrite, WritesStringsOfEverySizeAroundItsBuffer) {
  for (size_t size :
       {0u, 1u, 1000u, 1012u, 1013u, 1014u, 1015u, 1016u, 1023u, 1024u, 1025u, 5000u}) {
    Kinds kinds;
    kinds.add_strings(std::string(size, 'x'));
    kinds.add_strings("\n" + std::string(size, 'y'));
    Kinds back;
    ASSERT_TRUE(Read(MustWrite(kinds), &back).ok());
    EXPECT_EQ(back.strings(0), kinds.strings(0));
    EXPECT_EQ(back.strings(1), kinds.strings(1));
  }
}

struct UnwritableRow {
  const char* name;
  void (*set)(Kinds*);
  const char* message;
};

class JsonUnwritable : public ::testing::TestWithParam<UnwritableRow> {};

TEST_P(JsonUnwritable, FailsWithItsPathAndWritesNothing) {
  Kinds kinds;
  GetParam().set(&kinds);
  std::string out = "before";
  const absl::Status status = Write(kinds, &out);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), GetParam().message);
  EXPECT_EQ(out, "before");
}

INSTANTIATE_TEST_SUITE_P(
    Table, JsonUnwritable,
    ::testing::Values(
        UnwritableRow{"EnumNumber",
                      [](Kinds* kinds) { kinds->set_colour(static_cast<test::Colour>(99)); },
                      "colour: an enum number without a name"},
        UnwritableRow{"EnumNumberInList",
                      [](Kinds* kinds) {
                        kinds->add_children();
                        kinds->add_children()->add_colours(static_cast<test::Colour>(-1));
                      },
                      "children[1].colours[0]: an enum number without a name"},
        UnwritableRow{"TimeTooLate",
                      [](Kinds* kinds) { kinds->mutable_time()->set_seconds(253402300800); },
                      "time: a time outside the years 1 to 9999"},
        UnwritableRow{"TimeTooEarly",
                      [](Kinds* kinds) { kinds->add_times()->set_seconds(-62135596801); },
                      "times[0]: a time outside the years 1 to 9999"},
        UnwritableRow{"NegativeNanos", [](Kinds* kinds) { kinds->mutable_time()->set_nanos(-1); },
                      "time: a time outside the years 1 to 9999"},
        UnwritableRow{"TooManyNanos",
                      [](Kinds* kinds) { kinds->mutable_time()->set_nanos(1'000'000'000); },
                      "time: a time outside the years 1 to 9999"},
        UnwritableRow{"NotANumber", [](Kinds* kinds) { kinds->set_double_field(std::nan("")); },
                      "double_field: not a finite number"},
        UnwritableRow{
            "Infinite",
            [](Kinds* kinds) { kinds->add_floats(std::numeric_limits<float>::infinity()); },
            "floats[0]: not a finite number"},
        UnwritableRow{"MapKey", [](Kinds* kinds) { (*kinds->mutable_texts())["\xff"] = "secret"; },
                      "texts: a key that is not UTF-8"},
        UnwritableRow{"MapValue",
                      [](Kinds* kinds) { (*kinds->mutable_texts())["secret"] = "\xff"; },
                      "texts: not UTF-8"}),
    [](const auto& info) { return std::string(info.param.name); });

struct WordRow {
  const google::protobuf::EnumDescriptor* type;
  int number;
  const char* word;
};

class JsonEnumWord : public ::testing::TestWithParam<WordRow> {};

TEST_P(JsonEnumWord, IsTheUpstreams) {
  EXPECT_EQ(EnumWord(GetParam().type->FindValueByNumber(GetParam().number)), GetParam().word);
}

INSTANTIATE_TEST_SUITE_P(
    Table, JsonEnumWord,
    ::testing::Values(
        WordRow{v1::SessionStatus_descriptor(), v1::SESSION_STATUS_FINALIZED, "FINALIZED"},
        WordRow{v1::DevicePlatform_descriptor(), v1::DEVICE_PLATFORM_IOS, "IOS"},
        WordRow{v1::EnrollmentTtl_descriptor(), v1::ENROLLMENT_TTL_FORTY_EIGHT_HOURS,
                "FORTY_EIGHT_HOURS"},
        WordRow{v1::OrderItemType_descriptor(), v1::ORDER_ITEM_TYPE_PHYSICAL, "physical"},
        WordRow{v1::OrderItemType_descriptor(), v1::ORDER_ITEM_TYPE_SHIPPING_FEE, "shipping_fee"},
        WordRow{test::Colour_descriptor(), test::COLOUR_DARK_BLUE, "DARK_BLUE"},
        WordRow{test::Colour_descriptor(), test::GREEN, "GREEN"},
        WordRow{test::PaperSize_descriptor(), test::PAPER_SIZE_US_LETTER, "us_letter"}),
    [](const auto& info) {
      return std::string(info.param.type->FindValueByNumber(info.param.number)->name());
    });

TEST(JsonPlan, IsSharedByThreadsThatNeedItAtOnce) {
  std::vector<std::thread> threads;
  std::atomic<int> right = 0;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&right] {
      v1::SubscribeSessionEventsResponse message;
      v1::SimulateCardTapRequest request;
      std::string out;
      const bool ok =
          Read(R"({"event":{"session":{"order_items":[{"quantity":3}]}}})", &message).ok() &&
          Read(R"({"outcome":"LOST_CARD"})", &request).ok() && Write(request, &out).ok();
      if (ok && message.event().session().order_items(0).quantity() == 3) ++right;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 8);
}

TEST(JsonPlan, RefusesTypesThatAreNotGenerated) {
  google::protobuf::DescriptorPool pool(google::protobuf::DescriptorPool::generated_pool());
  google::protobuf::FileDescriptorProto own;
  own.set_name("own.proto");
  own.add_message_type()->set_name("Own");
  const auto* type = pool.BuildFile(own)->message_type(0);
  google::protobuf::DynamicMessageFactory factory;
  std::unique_ptr<google::protobuf::Message> message(factory.GetPrototype(type)->New());
  std::string out;
  EXPECT_EQ(Read("{}", message.get()).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Write(*message, &out).code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace ipp::json
