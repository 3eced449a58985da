#include "server/webhook/signature.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "tests/webhook/example.h"

namespace ipp::webhook {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr absl::Duration kTolerance = absl::Minutes(5);

TEST(Signature, OfTheExampleIsAsPublished) {
  EXPECT_EQ(Sign(ExampleKey(), kExampleId, kExampleTimestamp, kExampleBody), kExampleSignature);
  EXPECT_TRUE(Verify({kExampleId, kExampleTimestamp, kExampleSignature}, kExampleBody,
                     {ExampleKey()}, kExampleTime, kTolerance)
                  .ok());
}

TEST(Signature, CoversBytesThatAreNoText) {
  const std::string body("\0\xff\r\n{", 5);
  const std::string signature = Sign("k", "id", "1790000000", body);
  EXPECT_TRUE(Verify({"id", "1790000000", signature}, body, {"k"}, kExampleTime, kTolerance).ok());
  EXPECT_FALSE(
      Verify({"id", "1790000000", signature}, body.substr(0, 4), {"k"}, kExampleTime, kTolerance)
          .ok());
}

// What one message leaves behind changes no later signature, of the key or of a copy.
TEST(MacKey, SignsEachMessageAnew) {
  const MacKey key("k");
  const MacKey copy = key;
  for (const char* body : {"one", "", "two", "one"}) {
    const std::string expected = Sign("k", "id", "1", body);
    const std::string message = absl::StrCat("id.1.", body);
    for (const MacKey& each : {key, copy, MacKey("k")}) {
      EXPECT_EQ(absl::StrCat("v1,", absl::Base64Escape(each.Sign(message))), expected);
    }
    EXPECT_NE(MacKey("other").Sign(message), key.Sign(message));
  }
}

// RFC 4231, cases 2 and 6: a key that is shorter, and one that is longer, than SHA-256's block.
TEST(MacKey, SignsAsTheStandardSays) {
  EXPECT_EQ(absl::BytesToHexString(MacKey("Jefe").Sign("what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(absl::BytesToHexString(MacKey(std::string(131, '\xaa'))
                                       .Sign("Test Using Larger Than Block-Size Key - Hash Key "
                                             "First")),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

struct GoodRow {
  const char* name;
  std::string signature;
  std::vector<std::string> keys;
  absl::Duration clock_off;
};

std::string OtherSignature() { return Sign("other", kExampleId, kExampleTimestamp, kExampleBody); }

class SignatureAccepts : public testing::TestWithParam<GoodRow> {};

TEST_P(SignatureAccepts, Row) {
  const GoodRow& row = GetParam();
  const absl::Status status = Verify({kExampleId, kExampleTimestamp, row.signature}, kExampleBody,
                                     row.keys, kExampleTime + row.clock_off, kTolerance);
  EXPECT_TRUE(status.ok()) << status;
}

INSTANTIATE_TEST_SUITE_P(
    Table, SignatureAccepts,
    testing::Values(
        GoodRow{"TheOnlyOne", kExampleSignature, {ExampleKey()}, absl::ZeroDuration()},
        GoodRow{"SecondEntry",
                absl::StrCat(OtherSignature(), " ", kExampleSignature),
                {ExampleKey()},
                absl::ZeroDuration()},
        GoodRow{"FirstEntry",
                absl::StrCat(kExampleSignature, " ", OtherSignature()),
                {ExampleKey()},
                absl::ZeroDuration()},
        GoodRow{"AmongOtherVersions",
                absl::StrCat("v1a,AAAA v2,zzz ", kExampleSignature, " nonsense"),
                {ExampleKey()},
                absl::ZeroDuration()},
        GoodRow{"BesideAnEntryThatIsNoBase64",
                absl::StrCat("v1,*** ", kExampleSignature),
                {ExampleKey()},
                absl::ZeroDuration()},
        GoodRow{"SeveralSpaces",
                absl::StrCat("  ", kExampleSignature, "  "),
                {ExampleKey()},
                absl::ZeroDuration()},
        GoodRow{"SecondKey", kExampleSignature, {"old", ExampleKey()}, absl::ZeroDuration()},
        GoodRow{"FirstKey", kExampleSignature, {ExampleKey(), "new"}, absl::ZeroDuration()},
        GoodRow{"JustNotTooOld", kExampleSignature, {ExampleKey()}, kTolerance},
        GoodRow{"JustNotTooEarly", kExampleSignature, {ExampleKey()}, -kTolerance}),
    [](const auto& info) { return info.param.name; });

struct BadRow {
  const char* name;
  std::string id = kExampleId;
  std::string timestamp = kExampleTimestamp;
  std::string signature = kExampleSignature;
  std::string body = kExampleBody;
  std::vector<std::string> keys = {ExampleKey()};
  absl::Duration clock_off = absl::ZeroDuration();
  const char* says;
};

class SignatureRefuses : public testing::TestWithParam<BadRow> {};

TEST_P(SignatureRefuses, Row) {
  const BadRow& row = GetParam();
  const absl::Status status = Verify({row.id, row.timestamp, row.signature}, row.body, row.keys,
                                     kExampleTime + row.clock_off, kTolerance);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated);
  const std::string message(status.message());
  EXPECT_THAT(message, HasSubstr(row.says));
  EXPECT_THAT(message, Not(HasSubstr(ExampleKey())));
}

std::string Without(std::string text, absl::string_view part) {
  return text.erase(text.find(std::string(part)), part.size());
}

const char kNoMatch[] = "matches no key";
const char kNoEntry[] = "no v1 signature";
const char kNotSeconds[] = "unix seconds";

INSTANTIATE_TEST_SUITE_P(
    Table, SignatureRefuses,
    testing::Values(
        BadRow{.name = "NoId", .id = "", .says = "webhook-id is missing"},
        BadRow{.name = "NoTimestamp", .timestamp = "", .says = "webhook-timestamp is missing"},
        BadRow{.name = "NoSignature", .signature = "", .says = "webhook-signature is missing"},
        BadRow{.name = "OnlySpaces", .signature = "  ", .says = kNoEntry},
        BadRow{.name = "NoKeys", .keys = {}, .says = kNoMatch},
        BadRow{.name = "OtherKey", .keys = {"other"}, .says = kNoMatch},
        BadRow{.name = "EmptyKey", .keys = {""}, .says = kNoMatch},
        BadRow{.name = "OtherId", .id = "msg_example_0002", .says = kNoMatch},
        BadRow{.name = "OtherTimestamp", .timestamp = "1790000001", .says = kNoMatch},
        BadRow{.name = "LeadingZero", .timestamp = "01790000000", .says = kNoMatch},
        BadRow{.name = "OtherBody", .body = absl::StrCat(kExampleBody, "\n"), .says = kNoMatch},
        BadRow{.name = "EmptyBody", .body = "", .says = kNoMatch},
        BadRow{.name = "OtherSignature", .signature = OtherSignature(), .says = kNoMatch},
        BadRow{.name = "OtherVersionOnly",
               .signature = absl::StrCat("v2", std::string(kExampleSignature).substr(2)),
               .says = kNoEntry},
        BadRow{.name = "UpperCaseVersion",
               .signature = absl::StrCat("V", std::string(kExampleSignature).substr(1)),
               .says = kNoEntry},
        BadRow{.name = "NoVersion",
               .signature = std::string(kExampleSignature).substr(3),
               .says = kNoEntry},
        BadRow{.name = "EmptyEntry", .signature = "v1,", .says = kNoMatch},
        BadRow{.name = "NoPadding", .signature = Without(kExampleSignature, "="), .says = kNoEntry},
        BadRow{.name = "DotForPadding",
               .signature = absl::StrCat(Without(kExampleSignature, "="), "."),
               .says = kNoEntry},
        BadRow{.name = "UnusedBitsSet",
               .signature = absl::StrCat(Without(kExampleSignature, "Y="), "Z="),
               .says = kNoEntry},
        BadRow{.name = "TabInside",
               .signature = absl::StrCat("v1,\t", std::string(kExampleSignature).substr(3)),
               .says = kNoEntry},
        BadRow{.name = "CommaBetweenEntries",
               .signature = absl::StrCat(kExampleSignature, ",", kExampleSignature),
               .says = kNoEntry},
        BadRow{.name = "Truncated", .signature = "v1,8z9mtFqdlOMp0s3d", .says = kNoMatch},
        BadRow{.name = "Longer",
               .signature = absl::StrCat(Without(kExampleSignature, "="), "A"),
               .says = kNoMatch},
        BadRow{.name = "TooOld", .clock_off = kTolerance + absl::Seconds(1), .says = "too old"},
        BadRow{.name = "TooEarly",
               .clock_off = -kTolerance - absl::Seconds(1),
               .says = "in the future"},
        BadRow{.name = "JustTooOld",
               .clock_off = kTolerance + absl::Nanoseconds(1),
               .says = "too old"},
        BadRow{.name = "TimestampSigned", .timestamp = "+1790000000", .says = kNotSeconds},
        BadRow{.name = "TimestampNegative", .timestamp = "-1790000000", .says = kNotSeconds},
        BadRow{.name = "TimestampWithSpace", .timestamp = " 1790000000", .says = kNotSeconds},
        BadRow{.name = "TimestampFraction", .timestamp = "1790000000.0", .says = kNotSeconds},
        BadRow{.name = "TimestampExponent", .timestamp = "1e9", .says = kNotSeconds},
        BadRow{.name = "TimestampDate", .timestamp = "2026-09-21T14:13:20Z", .says = kNotSeconds},
        BadRow{.name = "TimestampHex", .timestamp = "0x6ab13c80", .says = kNotSeconds},
        BadRow{.name = "TimestampBeyond64Bits",
               .timestamp = "99999999999999999999",
               .says = kNotSeconds},
        BadRow{
            .name = "TimestampMilliseconds", .timestamp = "1790000000000", .says = "in the future"},
        BadRow{.name = "TimestampLargest",
               .timestamp = "9223372036854775807",
               .says = "in the future"},
        BadRow{.name = "TimestampZero", .timestamp = "0", .says = "too old"}),
    [](const auto& info) { return info.param.name; });

TEST(DecodeSecret, GivesTheKey) {
  const auto key = DecodeSecret(kExampleSecret);
  ASSERT_TRUE(key.ok()) << key.status();
  EXPECT_EQ(*key, "ipp-gateway-example-signing-key-");
}

struct BadSecret {
  const char* name;
  const char* secret;
};

class DecodeSecretRefuses : public testing::TestWithParam<BadSecret> {};

TEST_P(DecodeSecretRefuses, WithoutTellingIt) {
  const auto key = DecodeSecret(GetParam().secret);
  EXPECT_EQ(key.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(key.status().message()), Not(HasSubstr("aXBwLWdh")));
}

INSTANTIATE_TEST_SUITE_P(
    Table, DecodeSecretRefuses,
    testing::Values(BadSecret{"Empty", ""}, BadSecret{"PrefixOnly", "whsec_"},
                    BadSecret{"NoPrefix", "aXBwLWdhdGV3YXktZXhhbXBsZS1zaWduaW5nLWtleS0="},
                    BadSecret{"OtherPrefix", "WHSEC_aXBwLWdhdGV3YXktZXhhbXBsZS1zaWduaW5nLWtleS0="},
                    BadSecret{"NoPadding", "whsec_aXBwLWdhdGV3YXktZXhhbXBsZS1zaWduaW5nLWtleS0"},
                    BadSecret{"SpaceInside", "whsec_aXBwLWdh dGV3YXktZXhhbXBsZS1zaWduaW5nLWtleS0="},
                    BadSecret{"LineEnd", "whsec_aXBwLWdhdGV3YXktZXhhbXBsZS1zaWduaW5nLWtleS0=\n"},
                    BadSecret{"UrlAlphabet", "whsec_aXBwLWdh_-__"},
                    BadSecret{"NoBase64", "whsec_aXBwLWdh!"},
                    BadSecret{"UnusedBitsSet",
                              "whsec_aXBwLWdhdGV3YXktZXhhbXBsZS1zaWduaW5nLWtleS1="}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace ipp::webhook
