#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/ippctl/document.h"
#include "client/ippctl/json_path.h"
#include "tests/client/ippctl_fixture.h"

namespace ipp::ippctl {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;

constexpr char kJson[] = R"({"rows": [
  {"id": "a", "n": 1, "tags": {"x.y": "p q"}, "on": true},
  {"id": "b", "n": -2, "none": null},
  {"id": "c", "n": 3, "list": [1, "two"]}], "total": "3"})";

struct PathCase {
  const char* name;
  const char* path;
  const char* out;
};

class JsonPathPicks : public ::testing::TestWithParam<PathCase> {};

TEST_P(JsonPathPicks, What) {
  const auto path = JsonPath::Parse(GetParam().path);
  ASSERT_TRUE(path.ok()) << path.status();
  EXPECT_EQ(path->Apply(kJson), GetParam().out);
}

INSTANTIATE_TEST_SUITE_P(All, JsonPathPicks,
                         ::testing::ValuesIn(std::vector<PathCase>{
                             {"Member", "{.total}", "3\n"},
                             {"WithoutBraces", ".total", "3\n"},
                             {"WithoutADot", "total", "3\n"},
                             {"Root", "{$.total}", "3\n"},
                             {"Every", "{.rows[*].id}", "a b c\n"},
                             {"Index", "{.rows[1].id}", "b\n"},
                             {"FromTheEnd", "{.rows[-1].id}", "c\n"},
                             {"LastButOne", "{.rows[-2].id}", "b\n"},
                             {"Slice", "{.rows[0:2].id}", "a b\n"},
                             {"OpenSlice", "{.rows[1:].id}", "b c\n"},
                             {"Quoted", "{.rows[0].tags['x.y']}", "p q\n"},
                             {"Filter", "{.rows[?(@.id==\"b\")].n}", "-2\n"},
                             {"FilterNot", "{.rows[?(@.id!='b')].id}", "a c\n"},
                             {"FilterNumber", "{.rows[?(@.n==3)].id}", "c\n"},
                             {"Range", "{range .rows[*]}{.id}={.n}{\"\\n\"}{end}",
                              "a=1\nb=-2\nc=3\n"},
                             {"Text", "id: {.rows[0].id}{'\\t'}!", "id: a\t!\n"},
                             {"ObjectIsJson", "{.rows[0].tags}", "{\"x.y\":\"p q\"}\n"},
                             {"ListIsJson", "{.rows[2].list}", "[1,\"two\"]\n"},
                             {"Null", "{.rows[1].none}", ""},
                             {"Absent", "{.nothing.at.all}", ""},
                             {"BeyondTheEnd", "{.rows[7].id}", ""},
                             {"OfAScalar", "{.total.id}", ""}}),
                         [](const auto& info) { return info.param.name; });

TEST(JsonPath, RefusesWhatItDoesNotUnderstand) {
  for (const char* text : {"{.a", "{.a[}", "{range .a}", "{end}", "{.a[x]}", "{}", "", "{..a}",
                           "{.a b}", "{\"x}", "{.a[?(b==1)]}", "{.a[?(@.b)]}"}) {
    EXPECT_FALSE(JsonPath::Parse(text).ok()) << text;
  }
}

TEST(Document, YamlKeepsTheOrderAndTheTypes) {
  EXPECT_EQ(YamlOf(kJson),
            "rows:\n"
            "  - id: a\n    \"n\": 1\n    tags:\n      x.y: p q\n    \"on\": true\n"
            "  - id: b\n    \"n\": -2\n    none: ~\n"
            "  - id: c\n    \"n\": 3\n    list:\n      - 1\n      - two\n"
            "total: \"3\"\n");
}

TEST(Document, YamlQuotesWhatWouldBeReadAsSomethingElse) {
  for (const char* text : {"true", "No", "null", "1e3", "0x1F", "2026-01-31T08:00:00Z",
                           "2026-01-31", "12:30", "-", "~", "1_000", ".5", "+1"}) {
    const std::string yaml = YamlOf(std::string("{\"a\": \"") + text + "\"}");
    EXPECT_EQ(yaml, std::string("a: \"") + text + "\"\n");
  }
  EXPECT_EQ(YamlOf(R"({"a": "7c2d4f0e-54a8-4b0e-8d39-1f0d9f0f6a11"})"),
            "a: 7c2d4f0e-54a8-4b0e-8d39-1f0d9f0f6a11\n");
  EXPECT_EQ(YamlOf(R"({"a": [], "b": {}})"), "a: []\nb: {}\n");
}

TEST(Document, AMemberGoesFirst) {
  EXPECT_EQ(WithMember("{}", "a", "1"), "{\"a\":1}");
  EXPECT_EQ(WithMember("{\"b\":2}", "a", "1"), "{\"a\":1,\"b\":2}");
  EXPECT_EQ(WithMember("{\n \"b\": 2\n}\n", "a", "1"), "{\n \"a\": 1,\n \"b\": 2\n}\n");
}

class IppctlFormats : public IppctlTest {
 protected:
  void SetUp() override {
    gateway_.devices.list = [this](auto*, const auto&, auto* response) {
      for (const char* id : ids_) {
        v1::Device& device = *response->add_devices();
        device.set_id(id);
        device.set_name("Till, by the window of the shop");
        device.set_location_id("10c00000-0000-4000-8000-000000000001");
      }
      return grpc::Status::OK;
    };
    gateway_.sessions.create = [](auto*, const auto&, auto* response) {
      response->mutable_session()->set_session_id("s-1");
      return grpc::Status::OK;
    };
    gateway_.devices.get = [](auto*, const auto& request, auto* response) {
      response->mutable_device()->set_id(request.device_id());
      return grpc::Status::OK;
    };
  }

  std::vector<const char*> ids_ = {"10c00000-0000-4000-8000-00000000000a"};
};

TEST_F(IppctlFormats, AnEmptyListIsAnEmptyList) {
  ids_.clear();
  EXPECT_EQ(Out({"devices", "list", "-o", "json"}), "{\"devices\":[]}\n");
  EXPECT_EQ(Out({"devices", "list", "-o", "yaml"}), "devices: []\n");
  EXPECT_EQ(Out({"devices", "list", "-o", "ndjson"}), "");
  EXPECT_EQ(Out({"devices", "list", "-o", "name"}), "");
  EXPECT_EQ(Out({"devices", "list", "-o", "jsonpath={.devices[*].id}"}), "");
}

TEST_F(IppctlFormats, NamesAreTakenAsIds) {
  const std::string name = Out({"devices", "list", "-o", "name"});
  EXPECT_EQ(name, "device/10c00000-0000-4000-8000-00000000000a\n");
  EXPECT_EQ(Out({"devices", "get", name.substr(0, name.size() - 1), "-o", "name"}), name);
}

TEST_F(IppctlFormats, ACreateSaysItsRequestId) {
  const std::vector<std::string> create = {"sessions",     "create", "--device",   "d",
                                           "--amount",     "1",      "--currency", "SEK",
                                           "--request-id", "r-1",    "-o"};
  const auto as = [&](const std::string& format) {
    std::vector<std::string> args = create;
    args.push_back(format);
    return Out(args);
  };
  EXPECT_EQ(as("json"),
            "{\n \"request_id\": \"r-1\",\n \"session\": {\n  \"session_id\": \"s-1\"\n }\n}\n");
  EXPECT_EQ(as("ndjson"), "{\"request_id\":\"r-1\",\"session\":{\"session_id\":\"s-1\"}}\n");
  EXPECT_EQ(as("yaml"), "request_id: r-1\nsession:\n  session_id: s-1\n");
  EXPECT_EQ(as("name"), "session/s-1\n");
  EXPECT_EQ(as("jsonpath={.request_id}"), "r-1\n");
}

// A terminal of that width.
class OnATerminal : public IppctlFormats, public ::testing::WithParamInterface<int> {};

TEST_P(OnATerminal, TablesFitIt) {
  std::istringstream in;
  std::ostringstream out;
  std::ostringstream err;
  Interrupt interrupt;
  Environment environment{in, out, err, [](const std::string&) { return std::string(); },
                          &interrupt};
  environment.look.width = GetParam();
  ASSERT_EQ(RunIppctl({"--address", gateway_.address(), "devices", "list"}, environment), 0);
  const std::string text = out.str();
  for (size_t begin = 0; begin < text.size(); begin = text.find('\n', begin) + 1) {
    const std::string line = text.substr(begin, text.find('\n', begin) - begin);
    EXPECT_LE(line.size(), static_cast<size_t>(GetParam())) << line;
  }
  EXPECT_THAT(text, HasSubstr(ids_[0]));
}

INSTANTIATE_TEST_SUITE_P(Widths, OnATerminal, ::testing::Values(80, 100, 200),
                         ::testing::PrintToStringParamName());

TEST_F(IppctlFormats, ColourIsForTerminalsWithoutNoColor) {
  std::istringstream in;
  Interrupt interrupt;
  std::map<std::string, std::string> variables;
  const auto run = [&] {
    std::ostringstream out;
    std::ostringstream err;
    Environment environment{in, out, err, [&](const std::string& name) { return variables[name]; },
                            &interrupt};
    environment.look.color = true;
    RunIppctl({"--address", gateway_.address(), "devices", "list"}, environment);
    return out.str();
  };
  EXPECT_THAT(run(), HasSubstr("\x1b[1mID"));
  variables["NO_COLOR"] = "1";
  EXPECT_THAT(run(), ::testing::Not(HasSubstr("\x1b")));
}

TEST_F(IppctlFormats, TimesAreLocalUnlessUtcIsAskedFor) {
  gateway_.devices.get = [](auto*, const auto&, auto* response) {
    response->mutable_device()->mutable_created_at()->set_seconds(1'769'846'400);
    return grpc::Status::OK;
  };
  std::istringstream in;
  Interrupt interrupt;
  const auto run = [&](std::vector<std::string> more) {
    std::ostringstream out;
    std::ostringstream err;
    Environment environment{in, out, err, [](const std::string&) { return std::string(); },
                            &interrupt};
    environment.look.zone = absl::FixedTimeZone(2 * 3600);
    std::vector<std::string> args = {"--address", gateway_.address(), "devices", "get", "d"};
    args.insert(args.end(), more.begin(), more.end());
    RunIppctl(args, environment);
    return out.str();
  };
  EXPECT_THAT(run({}), HasSubstr("2026-01-31T10:00:00+02:00\n"));
  EXPECT_THAT(run({"--utc"}), HasSubstr("2026-01-31T08:00:00Z\n"));
  EXPECT_THAT(run({"-o", "json"}), HasSubstr("\"2026-01-31T08:00:00Z\""));
}

}  // namespace
}  // namespace ipp::ippctl
