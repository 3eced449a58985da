// Answers in which one member has an unexpected value, for every call that has an
// answer.

#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "kustom/ipp/v1/device.pb.h"
#include "tests/support/odd_json.h"
#include "tests/upstream/client_bed.h"

namespace ipp::upstream {
namespace {

using namespace fixtures;  // NOLINT: the words of these tests
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using testing::HasSubstr;

std::unique_ptr<Message> New(const google::protobuf::Descriptor* type) {
  return std::unique_ptr<Message>(
      google::protobuf::MessageFactory::generated_factory()->GetPrototype(type)->New());
}

class OddAnswers : public ClientBed {
 protected:
  // What a caller gets of that answer.
  CallResult Ask(const routes::Route& route, const std::string& body, Message* response) {
    const auto request = New(route.method()->input_type());
    for (int i = 0; i < request->GetDescriptor()->field_count(); ++i) {
      const FieldDescriptor* f = request->GetDescriptor()->field(i);
      if (!f->is_repeated() && absl::EndsWith(f->name(), "_id")) {
        request->GetReflection()->SetString(request.get(), f, kId);
      }
    }
    transport_.Answer(*route.options().success().begin(), body);
    result_.reset();
    inside_ = false;
    std::optional<routes::PageQuery> page;
    if (route.is_paged()) page.emplace();
    client_->Start(
        route, *request, response, Context(),
        [this](CallResult result) { result_ = std::move(result); }, page);
    transport_.RunAll();
    return *std::move(result_);
  }
};

TEST_F(OddAnswers, ChangeNothingButTheirMemberAndFailOnlyWhereItIsNeeded) {
  int tried = 0;
  for (const auto& [name, route] : Routes().routes()) {
    if (!route.is_rest() || route.options().response().empty()) continue;
    const auto* holder = route.method()->output_type()->FindFieldByName(route.options().response());
    const auto sample = New(holder->message_type());
    ipp::test::FillSample(sample.get());
    for (const char* name_of_id : {"id", "session_id"}) {
      // An answer is about what was asked for.
      const FieldDescriptor* id = sample->GetDescriptor()->FindFieldByName(name_of_id);
      if (id != nullptr) sample->GetReflection()->SetString(sample.get(), id, kId);
    }
    for (int i = 0; i < holder->message_type()->field_count(); ++i) {
      const FieldDescriptor* member = holder->message_type()->field(i);
      if (!ipp::test::IsWord(member)) continue;
      for (const std::string& odd : ipp::test::OddValues()) {
        ++tried;
        std::string body = ipp::test::JsonWith(*sample, member, odd);
        if (route.is_paged()) {
          body = absl::StrCat("{\"content\":[", body, "],\"total_elements\":1,\"last\":true}");
        }
        const auto response = New(route.method()->output_type());
        const CallResult result = Ask(route, body, response.get());
        const bool needed = member->options().GetExtension(v1::needed);
        if (!result.status.ok()) {
          EXPECT_TRUE(needed) << name << ": " << member->name() << ": " << odd << result.status;
          const ErrorDetail detail = GetErrorDetail(result.status);
          EXPECT_EQ(detail.reason, "UPSTREAM_MALFORMED");
          // A readable id, and not the one that was asked for.
          if (absl::StrContains(result.status.message(), "something else")) {
            EXPECT_EQ(result.outcome, Outcome::kUnknown);
            continue;
          }
          EXPECT_THAT(std::string(result.status.message()), HasSubstr(member->name()));
          EXPECT_EQ(result.outcome, route.options().repeat() == v1::REPEAT_NEVER
                                        ? Outcome::kUnknown
                                        : Outcome::kExecuted);
          continue;
        }
        const auto* reflection = response->GetReflection();
        const Message& read = route.is_paged()
                                  ? reflection->GetRepeatedMessage(*response, holder, 0)
                                  : reflection->GetMessage(*response, holder);
        EXPECT_TRUE(ipp::test::SameButFor(member, read, *sample))
            << name << ": " << member->name() << ": " << odd;
      }
    }
  }
  EXPECT_GT(tried, 1000);
}

TEST_F(OddAnswers, OfAPagesEnvelopeLeaveTheItems) {
  routes::PageEnvelope sample;
  ipp::test::FillSample(&sample);
  for (int i = 0; i < sample.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* member = sample.GetDescriptor()->field(i);
    if (!ipp::test::IsWord(member)) continue;
    for (const std::string& odd : ipp::test::OddValues()) {
      std::string body = ipp::test::JsonWith(sample, member, odd);
      body.pop_back();
      v1::ListDevicesResponse response;
      const CallResult result = Ask(RouteOf("DeviceService/ListDevices"),
                                    absl::StrCat(body, R"(,"content":[{"id":"a"}]})"), &response);
      ASSERT_TRUE(result.status.ok()) << body << result.status;
      EXPECT_EQ(response.devices_size(), 1);
      EXPECT_TRUE(ipp::test::SameButFor(member, result.page, sample)) << body;
    }
  }
}

TEST_F(OddAnswers, AreCountedByField) {
  for (int i = 0; i < 2; ++i) {
    v1::GetSessionResponse response;
    const CallResult result = Ask(RouteOf("SessionService/GetSession"),
                                  absl::StrCat(R"({"session_id":")", kId,
                                               R"(","status":"paused","merchant_data":{"a":1},
                "order_items":[{"quantity":1.5},{"quantity":"two"}]})"),
                                  &response);
    ASSERT_TRUE(result.status.ok()) << result.status;
    EXPECT_THAT(response.session().unreadable_fields(),
                testing::ElementsAre("merchant_data", "order_items[].quantity"));
    EXPECT_EQ(response.session().status_raw(), "paused");
  }
  const auto count = [this](const char* field) {
    return metrics_.counter("ipp_upstream_unreadable_fields_total", "", {{"field", field}}).value();
  };
  EXPECT_EQ(count("merchant_data"), 2);
  EXPECT_EQ(count("order_items[].quantity"), 4);
}

TEST_F(OddAnswers, InACodingThatIsNotKnownAreNamedAsThat) {
  http::HttpResult answer = http::FakeTransport::Answered(200, "");
  answer.response.body_trouble = "its content coding (lzma) is not known";
  transport_.HandleWith([&](const auto&) { return answer; });
  CreateSession(Context());
  transport_.RunAll();
  EXPECT_EQ(Detail().reason, "UPSTREAM_MALFORMED");
  EXPECT_EQ(result_->outcome, Outcome::kUnknown);
  EXPECT_THAT(std::string(result_->status.message()), HasSubstr("lzma"));
}

TEST_F(OddAnswers, ThatArePagesOfAFirewallAreNamedAsThat) {
  transport_.Answer(200, "\n<!DOCTYPE html><title>secret words</title>", {{"x-request-id", "r-1"}});
  GetSession(Context());
  transport_.RunAll();
  EXPECT_EQ(Detail().reason, "UPSTREAM_MALFORMED");
  EXPECT_EQ(Detail().metadata.at("correlation_id"), "r-1");
  const std::string message(result_->status.message());
  EXPECT_THAT(message, HasSubstr("an HTML page, probably from a proxy or a firewall"));
  EXPECT_THAT(message, testing::Not(HasSubstr("secret")));
}

}  // namespace
}  // namespace ipp::upstream
