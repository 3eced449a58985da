#include <cstdio>

#include "simulator/faults.h"
#include "simulator/flags.h"
#include "tests/simulator/harness.h"

namespace ipp::simulator {
namespace {

using testing::HasSubstr;

class SimulatorFaultRules : public SimulatorTest {
 protected:
  Reply Put(const std::string& document) { return Send("PUT", "/_sim/faults", document); }
};

TEST_F(SimulatorFaultRules, AreShownWithTheirDefaultsAndCounts) {
  EXPECT_EQ(Get("/_sim/faults").body, R"({"seed":1,"faults":[]})");
  const Reply reply = Put(R"({"seed":7,"faults":[{"on":"webhook","do":"late"},
      {"on":"webhook","type":"ipp.session.created","do":"lose","count":0,"probability":0.5}]})");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body,
            R"({"seed":7,"faults":[{"on":"webhook","do":"late","count":1,"skip":0,)"
            R"("probability":1,"delay_ms":1000,"matches":0,"hits":0,"left":1},)"
            R"({"on":"webhook","type":"ipp.session.created","do":"lose","count":0,"skip":0,)"
            R"("probability":0.5,"delay_ms":0,"matches":0,"hits":0,"left":null}]})");
  EXPECT_EQ(Get("/_sim/faults").body, reply.body);
}

TEST_F(SimulatorFaultRules, OfHttp2ShowWhatFollowsFromTheirMembers) {
  const auto faults = Put(R"({"faults":[{"on":"*","do":"refuse_stream"},{"on":"*","do":"goaway"},
      {"on":"*","do":"goaway","processed":true},{"on":"*","do":"goaway","answer":true},
      {"on":"*","do":"goaway","processed":false,"commit":false}]})")
                          .Json();
  const auto show = [&](const std::string& rule) {
    return At(faults, rule + ".processed") + " " + At(faults, rule + ".commit") + " " +
           At(faults, rule + ".answer");
  };
  EXPECT_EQ(At(faults, "faults.0.after_read"), "false");
  EXPECT_EQ(show("faults.1"), "false false false");
  EXPECT_EQ(show("faults.2"), "true true false");
  EXPECT_EQ(show("faults.3"), "true true true");
  EXPECT_EQ(show("faults.4"), "false false false");
}

TEST_F(SimulatorFaultRules, AreAddedReplacedAndRemoved) {
  Put(R"({"faults":[{"on":"webhook","do":"lose"}]})");
  EXPECT_EQ(Post("/_sim/faults", R"({"on":"webhook","do":"late"})").status, 200);
  Post("/_sim/faults",
       R"({"faults":[{"on":"webhook","do":"huge"},{"on":"webhook","do":"double"}]})");
  const auto all = Get("/_sim/faults").Json();
  ASSERT_EQ(SizeAt(all, "faults"), 4u);
  EXPECT_EQ(At(all, "faults.3.do"), "double");
  Put(R"({"faults":[{"on":"webhook","do":"reorder"}]})");
  EXPECT_EQ(SizeAt(Get("/_sim/faults").Json(), "faults"), 1u);
  EXPECT_EQ(Put(R"({"faults":[]})").status, 200);
  Post("/_sim/faults", R"({"on":"webhook","do":"late"})");
  EXPECT_EQ(Send("DELETE", "/_sim/faults").status, 204);
  EXPECT_EQ(SizeAt(Get("/_sim/faults").Json(), "faults"), 0u);
}

struct BadRuleRow {
  std::string name;
  std::string rule;
  std::string member;
};

class SimulatorBadFaultRule : public SimulatorFaultRules,
                              public testing::WithParamInterface<BadRuleRow> {};

TEST_P(SimulatorBadFaultRule, IsRefusedByName) {
  const std::string good = R"({"on":"webhook","do":"lose"})";
  Post("/_sim/faults", good);
  const Reply reply = Put(R"({"faults":[)" + good + "," + GetParam().rule + "]}");
  EXPECT_EQ(reply.status, 400);
  const auto errors = reply.Json().at("errors").as_object();
  EXPECT_TRUE(errors.contains("faults[1]." + GetParam().member)) << reply.body;
  EXPECT_TRUE(Post("/_sim/faults", GetParam().rule)
                  .Json()
                  .at("errors")
                  .as_object()
                  .contains(GetParam().member));
  EXPECT_EQ(SizeAt(Get("/_sim/faults").Json(), "faults"), 1u);

  Simulator::Options options;
  options.faults = R"({"faults":[)" + GetParam().rule + "]}";
  std::string error;
  EXPECT_EQ(Simulator::Start(options, &error), nullptr);
  EXPECT_THAT(error, HasSubstr("faults[0]." + GetParam().member + " "));
}

INSTANTIATE_TEST_SUITE_P(
    Table, SimulatorBadFaultRule,
    testing::Values(
        BadRuleRow{"NoOn", R"({"do":"lose"})", "on"},
        BadRuleRow{"UnknownOn", R"({"on":"Webhook","do":"lose"})", "on"},
        BadRuleRow{"UnknownOperation", R"({"on":"create_sessions","do":"hang"})", "on"},
        BadRuleRow{"WebhookHang", R"({"on":"webhook","do":"hang"})", "do"},
        BadRuleRow{"LostRequest", R"({"on":"get_session","do":"lose"})", "do"},
        BadRuleRow{"RefusedOperation", R"({"on":"get_session","do":"refuse_connection"})", "on"},
        BadRuleRow{"TypeOfRequest", R"({"on":"*","type":"a","do":"hang"})", "type"},
        BadRuleRow{"Commit", R"({"on":"*","do":"hang","commit":"yes"})", "commit"},
        BadRuleRow{"Status", R"({"on":"*","do":"error_before","status":200})", "status"},
        BadRuleRow{"RetryAfter", R"({"on":"*","do":"too_many","retry_after":-1})", "retry_after"},
        BadRuleRow{"RetryAfterDate", R"({"on":"*","do":"too_many","retry_after_date":1})",
                   "retry_after_date"},
        BadRuleRow{"AfterRead", R"({"on":"*","do":"refuse_stream","after_read":1})", "after_read"},
        BadRuleRow{"AfterReadOfGoAway", R"({"on":"*","do":"goaway","after_read":true})",
                   "after_read"},
        BadRuleRow{"ProcessedHang", R"({"on":"*","do":"hang","processed":true})", "processed"},
        BadRuleRow{"AnswerOfRefusal", R"({"on":"*","do":"refuse_stream","answer":true})", "answer"},
        BadRuleRow{"AnsweredUnprocessed",
                   R"({"on":"*","do":"goaway","answer":true,"processed":false})", "processed"},
        BadRuleRow{"AnsweredUncommitted",
                   R"({"on":"*","do":"goaway","answer":true,"commit":false})", "commit"},
        BadRuleRow{"CommittedUnprocessed", R"({"on":"*","do":"goaway","commit":true})", "commit"},
        BadRuleRow{"GoAwayOfWebhook", R"({"on":"webhook","do":"goaway"})", "do"},
        BadRuleRow{"NoDo", R"({"on":"webhook"})", "do"},
        BadRuleRow{"UnknownDo", R"({"on":"webhook","do":"explode"})", "do"},
        BadRuleRow{"UnknownMember", R"({"on":"webhook","do":"lose","cuont":1})", "cuont"},
        BadRuleRow{"Count", R"({"on":"webhook","do":"lose","count":-1})", "count"},
        BadRuleRow{"Skip", R"({"on":"webhook","do":"lose","skip":"1"})", "skip"},
        BadRuleRow{"Certain", R"({"on":"webhook","do":"lose","probability":1.1})", "probability"},
        BadRuleRow{"Text", R"({"on":"webhook","do":"lose","probability":"1"})", "probability"},
        BadRuleRow{"Delay", R"({"on":"webhook","do":"late","delay_ms":600001})", "delay_ms"},
        BadRuleRow{"Bytes", R"({"on":"webhook","do":"huge","bytes":1e9})", "bytes"},
        BadRuleRow{"Age", R"({"on":"webhook","do":"stale_timestamp","age_seconds":true})",
                   "age_seconds"},
        BadRuleRow{"SignedBy", R"({"on":"webhook","do":"rotated_secret","signed_by":"me"})",
                   "signed_by"},
        BadRuleRow{"Secret", R"({"on":"webhook","do":"rotated_secret","next_secret":"hush"})",
                   "next_secret"}),
    RowName<BadRuleRow>);

TEST_F(SimulatorFaultRules, RefuseBadDocuments) {
  for (const auto& [document, member] :
       {std::pair(R"({"faults":[],"more":1})", "more"), std::pair(R"({})", "faults"),
        std::pair(R"({"faults":{}})", "faults"), std::pair(R"({"faults":[1]})", "faults[0]"),
        std::pair(R"({"faults":[],"seed":-1})", "seed")}) {
    const Reply reply = Put(document);
    EXPECT_EQ(reply.status, 400);
    EXPECT_TRUE(reply.Json().at("errors").as_object().contains(member)) << reply.body;
  }
  EXPECT_EQ(Put("[]").status, 400);
  std::string many = R"({"faults":[)";
  for (int i = 0; i < 1001; ++i) many += R"({"on":"webhook","do":"lose"},)";
  many.back() = ']';
  EXPECT_THAT(Put(many + "}").body, HasSubstr("1000"));
}

TEST_F(SimulatorFaultRules, NeverShowASecret) {
  const Reply reply = Put(R"({"faults":[{"on":"webhook","do":"rotated_secret",
      "next_secret":"whsec_aHVzaGh1c2g="}]})");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body.find("whsec_"), std::string::npos);
}

TEST_F(SimulatorFaultRules, StrikeFromTheStart) {
  Simulator::Options options;
  options.faults = R"({"seed":3,"faults":[{"on":"webhook","do":"lose"}]})";
  Receiver receiver;
  options.webhook_urls = {receiver.url()};
  Start(options);
  NewSession();
  EXPECT_EQ(At(Get("/_sim/faults").Json(), "seed"), "3");
  EXPECT_EQ(At(Get("/_sim/faults").Json(), "faults.0.hits"), "1");
  options.fault_seed = 9;
  Start(options);
  EXPECT_EQ(At(Get("/_sim/faults").Json(), "seed"), "9");
}

TEST(SimulatorFaultsFile, IsReadWhole) {
  const std::string path = testing::TempDir() + "/simulator_faults_" +
                           std::to_string(reinterpret_cast<uintptr_t>(&path));
  std::FILE* file = std::fopen(path.c_str(), "w");
  ASSERT_NE(file, nullptr);
  std::fputs("{\n\"faults\": []}\n", file);
  std::fclose(file);
  std::string text;
  std::string error;
  EXPECT_TRUE(ReadFaultsFile(path, &text, &error));
  EXPECT_EQ(text, "{\n\"faults\": []}\n");
  std::remove(path.c_str());
  EXPECT_FALSE(ReadFaultsFile(path, &text, &error));
  EXPECT_THAT(error, HasSubstr(path));
}

TEST(SimulatorFaultDice, FallTheSameForTheSameSeed) {
  const auto run = [](uint64_t seed, int noise) {
    const auto document =
        Body::Parse(R"({"faults":[{"on":"webhook","type":"a","do":"lose","count":0,)"
                    R"("probability":0.5},{"on":"webhook","type":"b","do":"lose","count":0,)"
                    R"("probability":0.5}]})");
    Faults faults({});
    faults.SetSeed(seed);
    faults.Replace(*document);
    std::string fallen;
    for (int i = 0; i < 64; ++i) {
      for (int j = 0; j < noise; ++j) faults.Strike(FaultPoint::kDelivery, "webhook", "b");
      fallen += faults.Strike(FaultPoint::kDelivery, "webhook", "a") != nullptr ? '1' : '0';
    }
    return fallen;
  };
  EXPECT_EQ(run(1, 0), run(1, 3));
  EXPECT_NE(run(1, 0), run(2, 0));
  EXPECT_NE(run(1, 0).find('1'), std::string::npos);
  EXPECT_NE(run(1, 0).find('0'), std::string::npos);
}

TEST(SimulatorFaultCounts, SkipThenStrikeThenPassOn) {
  const auto document = Body::Parse(R"({"faults":[{"on":"webhook","do":"lose","skip":2,"count":2},)"
                                    R"({"on":"webhook","do":"late","count":0}]})");
  Faults faults({});
  faults.Replace(*document);
  std::string struck;
  for (int i = 0; i < 6; ++i) {
    struck += Name(faults.Strike(FaultPoint::kDelivery, "webhook", "a")->kind).substr(0, 2);
  }
  EXPECT_EQ(struck, "lalalololala");
  EXPECT_THAT(faults.Render(), HasSubstr(R"("matches":6,"hits":2,"left":0)"));
  EXPECT_THAT(faults.Render(), HasSubstr(R"("matches":4,"hits":4,"left":null)"));
}

}  // namespace
}  // namespace ipp::simulator
