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

struct FormRow {
  std::string name;
  std::string body;
  std::string message;  // behind "the upstream answered 400"
  std::vector<FieldViolation> violations;
};

void PrintTo(const FormRow& row, std::ostream* out) { *out << row.name; }

class ProblemForm : public testing::TestWithParam<FormRow> {};

TEST_P(ProblemForm, IsUnderstood) {
  const Failure failure = FromResponse(Response(400, GetParam().body), kNever, "", {});
  EXPECT_EQ(Message(failure), absl::StrCat("the upstream answered 400", GetParam().message));
  EXPECT_EQ(GetErrorDetail(failure.status).violations, GetParam().violations);
}

INSTANTIATE_TEST_SUITE_P(
    Table, ProblemForm,
    testing::ValuesIn(std::vector<FormRow>{
        {"MapOfLists",
         R"({"title":"Bad","errors":{"b":["x","y"],"a":["z"]}})",
         ": Bad",
         {{"a", "z"}, {"b", "x"}, {"b", "y"}}},
        {"MapOfObjects", R"({"errors":{"a":{"code":3,"message":"z"}}})", "", {{"a", "z"}}},
        {"ListOfFieldAndMessage",
         R"({"errors":[{"field":"b","message":"x"},{"field":"a","code":7,"message":"y"}]})",
         "",
         {{"a", "y"}, {"b", "x"}}},
        {"ListOfPropertyNames",
         R"([{"propertyName":"Amount","errorMessage":"too low","attemptedValue":-1}])",
         "",
         {{"Amount", "too low"}}},
        {"Violations", R"({"violations":[{"path":"a.b","reason":"no"}]})", "", {{"a.b", "no"}}},
        {"InvalidParams", R"({"invalid-params":[{"name":"a","reason":"no"}]})", "", {{"a", "no"}}},
        {"ListOfTexts", R"({"title":"Bad","errors":["x","y"]})", ": Bad: x; y", {}},
        {"ListOfTextsOfNoField", R"({"errors":[{"message":"x"},{"field":"a"}]})", ": x; a", {}},
        {"CodeAndMessages",
         R"({"error_code":"BAD_VALUE","error_messages":["a: x","b: y"],"correlation_id":"c"})",
         ": BAD_VALUE: a: x; b: y",
         {}},
        {"CodeAlone", R"({"error_code":"BAD_VALUE"})", ": BAD_VALUE", {}},
        {"Message",
         R"({"status":400,"error":"Bad Request","message":"no such phone"})",
         ": no such phone",
         {}},
        {"ErrorObject", R"({"error":{"code":4,"message":"no such phone"}})", ": no such phone", {}},
        {"OAuth",
         R"({"error":"invalid","error_description":"no such phone"})",
         ": no such phone",
         {}},
        {"ByteOrderMark", "\xef\xbb\xbf{\"title\":\"Bad\"}", ": Bad", {}},
        {"OddMembers", R"({"title":{"a":1},"detail":"no","status":"x","errors":7})", ": no: 7", {}},
        {"Html",
         "<html><body>hunter2</body></html>",
         " with an HTML page, probably from a proxy or a firewall in between",
         {}},
        {"HtmlBehindSpace",
         "\r\n <!doctype HTML><p>hunter2",
         " with an HTML page, probably from a proxy or a firewall in between",
         {}},
        {"Xml",
         "<?xml version='1.0'?><Error>hunter2</Error>",
         " with an XML document, probably from a proxy or a firewall in between",
         {}},
    }),
    [](const auto& info) { return info.param.name; });

TEST(ProblemBody, MayBePlainText) {
  http::HttpResponse response = Response(503, "no healthy\r\nupstream \xe5\n");
  response.headers.emplace_back("content-type", "Text/Plain; charset=x");
  EXPECT_EQ(Message(FromResponse(response, kRead, "", {})),
            "the upstream answered 503: no healthy  upstream ?");
}

TEST(ProblemBody, OfAFirewallIsNoWordAboutTheKey) {
  const Failure failure = FromResponse(Response(403, "<html>Denied</html>"), kNever, "", {});
  EXPECT_EQ(failure.status.code(), StatusCode::kInternal);
  EXPECT_EQ(failure.outcome, Outcome::kRejected);
  EXPECT_EQ(GetErrorDetail(failure.status).reason, "UPSTREAM_BLOCKED");
  EXPECT_THAT(Message(failure), HasSubstr("firewall"));
}

TEST(ProblemBody, KeepsTheCorrelationId) {
  const auto id_of = [](const http::HttpResponse& response) {
    auto metadata = GetErrorDetail(FromResponse(response, kRead, "", {kSecret}).status).metadata;
    return metadata["correlation_id"];
  };
  http::HttpResponse response = Response(500, R"({"correlation_id":"c-1"})");
  EXPECT_EQ(id_of(response), "c-1");
  response.headers.emplace_back("x-correlation-id", "c-2");
  EXPECT_EQ(id_of(response), "c-1") << "the body's own comes first";
  for (const char* other :
       {"", "<html>", "{}", R"({"correlationId":{}})", R"({"correlation_id":"<script>"})"}) {
    response.body = other;
    EXPECT_EQ(id_of(response), "c-2") << other;
  }
  response.headers = {{"x-request-id", kSecret}};
  EXPECT_EQ(id_of(response), "") << "a key that is echoed is none";
  response.headers = {{"x-request-id", std::string(129, 'x')}};
  EXPECT_EQ(id_of(response), "");
}

TEST(ProblemBody, IsBoundedInAllItsViolationsTogether) {
  std::string body = "{\"errors\":{";
  for (int i = 0; i < 1000; ++i) {
    absl::StrAppend(&body, i == 0 ? "" : ",", "\"f", i, "\":\"", std::string(400, 'x'), "\"");
  }
  const Failure failure = FromResponse(Response(400, body + "}}"), kNever, "", {});
  size_t bytes = 0;
  for (const FieldViolation& violation : GetErrorDetail(failure.status).violations) {
    bytes += violation.field.size() + violation.description.size();
  }
  EXPECT_GT(bytes, 400u);
  EXPECT_LT(bytes, 4096u);
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
