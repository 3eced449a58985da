#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/upstream/http_status.h"

// What becomes of the upstream's own words.
namespace ipp::upstream {
namespace {

using absl::StatusCode;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr auto kRead = kustom::ipp::v1::REPEAT_READ;
constexpr auto kHarmless = kustom::ipp::v1::REPEAT_HARMLESS;
constexpr auto kNever = kustom::ipp::v1::REPEAT_NEVER;
constexpr char kSecret[] = "kpk_live_0123456789abcdef";

http::HttpResponse Response(int code, std::string body) { return {code, {}, std::move(body)}; }

Failure FromResponse(const http::HttpResponse& response, kustom::ipp::v1::Repeat repeat,
                     absl::string_view body_field, const std::vector<std::string>& secrets) {
  return upstream::FromResponse(response, repeat, body_field, secrets,
                                absl::FromUnixSeconds(1'790'000'000));
}

std::string Message(const Failure& failure) { return std::string(failure.status.message()); }

TEST(ProblemBody, PutsTheDetailBehindTheCode) {
  const Failure failure = FromResponse(
      Response(409, R"({"title":"Conflict","detail":"Session is FINALIZED"})"), kNever, "", {});
  EXPECT_EQ(Message(failure), "the upstream answered 409: Session is FINALIZED");
}

TEST(ProblemBody, UsesTheTitleWithoutADetail) {
  const Failure failure = FromResponse(Response(404, R"({"title":"Not Found"})"), kRead, "", {});
  EXPECT_EQ(Message(failure), "the upstream answered 404: Not Found");
}

struct BodyRow {
  std::string name;
  std::string body;
};

void PrintTo(const BodyRow& row, std::ostream* out) { *out << row.name; }

class UselessBody : public testing::TestWithParam<BodyRow> {};

TEST_P(UselessBody, LeavesTheCodeToSpeak) {
  const Failure failure = FromResponse(Response(400, GetParam().body), kNever, "", {});
  EXPECT_EQ(Message(failure), "the upstream answered 400");
  EXPECT_EQ(failure.status.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(GetErrorDetail(failure.status).violations, IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Table, UselessBody,
                         testing::ValuesIn(std::vector<BodyRow>{
                             {"Empty", ""},
                             {"Array", "[]"},
                             {"Word", "\"no\""},
                             {"CutOff", R"({"detail":"card dec)"},
                             {"NotUtf8", "{\"detail\":\"\xff\xfe\"}"},
                             {"EmptyObject", "{}"},
                         }),
                         [](const auto& info) { return info.param.name; });

TEST(ProblemBody, BecomesViolationsInFieldOrder) {
  const Failure failure = FromResponse(
      Response(422, R"({"errors":{"order_items[1].name":"too long","device_id":"unknown"}})"),
      kNever, "*", {});
  EXPECT_THAT(GetErrorDetail(failure.status).violations,
              ElementsAre(FieldViolation{"device_id", "unknown"},
                          FieldViolation{"order_items[1].name", "too long"}));
}

TEST(ProblemBody, PutsTheBodyFieldBeforeAViolation) {
  const Failure failure =
      FromResponse(Response(400, R"({"errors":{"name":"too long"}})"), kHarmless, "settings", {});
  EXPECT_THAT(GetErrorDetail(failure.status).violations,
              ElementsAre(FieldViolation{"settings.name", "too long"}));
}

TEST(ProblemBody, MakesNoViolationsOfWhatIsNotAboutTheRequest) {
  const Failure failure =
      FromResponse(Response(409, R"({"errors":{"name":"taken"}})"), kNever, "", {});
  EXPECT_THAT(GetErrorDetail(failure.status).violations, IsEmpty());
}

TEST(ProblemBody, IsNotEchoedWhenTheGatewaysKeyIsRefused) {
  const Failure failure =
      FromResponse(Response(401, R"({"detail":"key PM1 is disabled"})"), kRead, "", {kSecret});
  EXPECT_EQ(Message(failure), "the upstream refused the gateway's own key");
}

TEST(ProblemBody, IsCutAtFiveHundredBytes) {
  const std::string body = absl::StrCat(R"({"detail":")", std::string(600, 'x'), "\"}");
  EXPECT_EQ(Message(FromResponse(Response(400, body), kRead, "", {})),
            absl::StrCat("the upstream answered 400: ", std::string(500, 'x')));
}

TEST(ProblemBody, IsKeptWholeAtFiveHundredBytes) {
  const std::string text = absl::StrCat(std::string(498, 'x'), "é");
  const std::string body = absl::StrCat(R"({"detail":")", text, "\"}");
  EXPECT_EQ(Message(FromResponse(Response(400, body), kRead, "", {})),
            absl::StrCat("the upstream answered 400: ", text));
}

class CutCharacter : public testing::TestWithParam<std::string> {};

TEST_P(CutCharacter, IsLeftOutWhole) {
  // However much of the character lies before the cut, none of it stays.
  for (size_t before = 1; before < GetParam().size(); ++before) {
    const std::string head(500 - before, 'x');
    const std::string body = absl::StrCat(R"({"detail":")", head, GetParam(), "tail\"}");
    EXPECT_EQ(Message(FromResponse(Response(400, body), kRead, "", {})),
              absl::StrCat("the upstream answered 400: ", head))
        << before;
  }
}

INSTANTIATE_TEST_SUITE_P(OfAnyLength, CutCharacter,
                         testing::Values("\u00e9", "\u20ac", "\U0001f4b3"),
                         [](const auto& info) { return absl::StrCat(info.param.size()); });

TEST(ProblemBody, HasItsControlCharactersMadeSpaces) {
  const Failure failure =
      FromResponse(Response(400, R"({"detail":"a\r\nb\u0000c\u001bd"})"), kRead, "", {});
  EXPECT_EQ(Message(failure), "the upstream answered 400: a  b c d");
}

TEST(ProblemBody, HasOurKeyStruckOutEverywhere) {
  const std::string body = absl::StrCat(R"({"detail":"key )", kSecret, R"( is odd","errors":{")",
                                        kSecret, R"(":"not )", kSecret, R"("}})");
  const Failure failure = FromResponse(Response(400, body), kNever, "", {kSecret});
  EXPECT_EQ(Message(failure), "the upstream answered 400: key *** is odd");
  EXPECT_THAT(GetErrorDetail(failure.status).violations,
              ElementsAre(FieldViolation{"***", "not ***"}));
}

TEST(ProblemBody, HidesAKeyThatLiesAcrossTheCut) {
  const std::string body =
      absl::StrCat(R"({"detail":")", std::string(490, 'x'), kSecret, " was sent\"}");
  const Failure failure = FromResponse(Response(400, body), kNever, "", {kSecret});
  EXPECT_THAT(Message(failure), Not(HasSubstr("kpk_")));
}

}  // namespace
}  // namespace ipp::upstream
