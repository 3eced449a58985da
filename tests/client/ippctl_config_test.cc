#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/ippctl/commands.h"
#include "client/ippctl/config_file.h"
#include "tests/client/ippctl_run.h"
#include "tests/client/temporary_folder.h"

namespace ipp::ippctl {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kFile[] = R"(# everywhere
timeout = 5s
context = playground   # unless another is asked for

[playground]
address = localhost:1234
output=json

[production]
address = gateway.shop.internal:50051
token-file = ~/token
ca_file = tls/ca.pem
key-file = /etc/key.pem
tls = true
timeout = 20s
)";

ConfigFile Parsed(const std::string& text) {
  auto file = ParseConfigFile(text, "/etc/ippctl/config", GlobalFlags(), "/home/me");
  EXPECT_TRUE(file.ok()) << file.status();
  return file.ok() ? *file : ConfigFile();
}

TEST(ConfigFile, HasAContextForEachSection) {
  const ConfigFile file = Parsed(kFile);
  EXPECT_EQ(file.context, "playground");
  EXPECT_EQ(file.context_where, "/etc/ippctl/config:3");
  const Settings playground = SettingsOf(file, {.name = "playground", .where = ""});
  EXPECT_EQ(playground.at("address").value, "localhost:1234");
  EXPECT_EQ(playground.at("address").where, "/etc/ippctl/config:6");
  EXPECT_EQ(playground.at("timeout").value, "5s");
  EXPECT_FALSE(playground.contains("tls"));
  const Settings production = SettingsOf(file, {.name = "production", .where = ""});
  EXPECT_EQ(production.at("timeout").value, "20s");
  EXPECT_EQ(production.at("tls").value, "true");
}

TEST(ConfigFile, PathsAreBesideItOrInTheUsersFolder) {
  const Settings settings = SettingsOf(Parsed(kFile), {.name = "production", .where = ""});
  EXPECT_EQ(settings.at("token-file").value, "/home/me/token");
  EXPECT_EQ(settings.at("ca-file").value, "/etc/ippctl/tls/ca.pem");
  EXPECT_EQ(settings.at("key-file").value, "/etc/key.pem");
}

struct BadFile {
  const char* name;
  const char* text;
  const char* message;
};

class ConfigFileRefuses : public ::testing::TestWithParam<BadFile> {};

TEST_P(ConfigFileRefuses, AndNamesTheLine) {
  const auto file = ParseConfigFile(GetParam().text, "f", GlobalFlags(), "");
  EXPECT_EQ(std::string(file.status().message()), GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    All, ConfigFileRefuses,
    ::testing::ValuesIn(std::vector<BadFile>{
        {"UnknownKey", "\nadress = x\n", "f:2: adress: no such key; did you mean address?"},
        {"ATokenItself", "token = s3cret\n", "f:1: token: no such key; did you mean token-file?"},
        {"WhatIsNoSetting", "[a]\nversion = true\n", "f:2: version: no such key"},
        {"AContextInAContext", "[a]\ncontext = b\n",
         "f:2: context: no such key; did you mean "
         "context?"},
        {"Twice", "tls = true\ntls = false\n", "f:2: tls stands here twice"},
        {"TwoContexts", "context = a\ncontext = b\n", "f:2: context stands here twice"},
        {"SectionTwice", "[a]\n[b]\n[a]\n", "f:3: [a] stands here twice"},
        {"NoValue", "address =   # later\n", "f:1: address is empty"},
        {"NoEquals", "address localhost\n", "f:1: neither [NAME] nor key = value"},
        {"OpenSection", "[a\n", "f:1: a section is [NAME] on a line of its own"},
        {"NamelessSection", "[]\n", "f:1: a section is [NAME] on a line of its own"},
        {"EscapeSequences", "\x1b[2J = 1\n", "f:1: \uFFFD[2j: no such key"}}),
    [](const auto& info) { return info.param.name; });

// What `config show` says of a setting.
std::string Row(const RunResult& run, const std::string& setting) {
  EXPECT_EQ(run.exit_code, 0) << run.err;
  const size_t begin = run.out.find("\n" + setting + " ");
  if (begin == std::string::npos) return "";
  return run.out.substr(begin + 1, run.out.find('\n', begin + 1) - begin - 1);
}

class IppctlConfig : public ::testing::Test {
 protected:
  RunResult Show(std::map<std::string, std::string> variables, std::vector<std::string> more = {}) {
    std::vector<std::string> args = {"config", "show", "--output", "table"};
    args.insert(args.end(), more.begin(), more.end());
    variables["HOME"] = folder_ / "home";
    return RunIn(variables, args);
  }

  const TemporaryFolder folder_;
  const std::string path_ = folder_.Write("home/.config/ippctl/config", kFile);
};

TEST_F(IppctlConfig, AFlagCountsMoreThanTheEnvironmentThanTheFileThanTheDefault) {
  EXPECT_EQ(Row(Show({}), "address"), "address                localhost:1234  " + path_ + ":6");
  EXPECT_THAT(Row(Show({}), "merchant"), HasSubstr("default"));
  const std::map<std::string, std::string> variables = {{"IPPCTL_ADDRESS", "env:1"}};
  EXPECT_EQ(Row(Show(variables), "address"), "address                env:1  IPPCTL_ADDRESS");
  EXPECT_EQ(Row(Show(variables, {"--address", "flag:1"}), "address"),
            "address                flag:1  --address");
}

TEST_F(IppctlConfig, AContextIsChosenByFlagThenEnvironmentThenFile) {
  EXPECT_THAT(Show({}).out, HasSubstr("In use    playground (by " + path_ + ":3)\n"));
  EXPECT_THAT(Show({{"IPPCTL_CONTEXT", "production"}}).out,
              HasSubstr("In use    production (by IPPCTL_CONTEXT)\n"));
  const RunResult run = Show({{"IPPCTL_CONTEXT", "production"}}, {"--context", "playground"});
  EXPECT_THAT(run.out, HasSubstr("In use    playground (by --context)\n"));
  EXPECT_THAT(run.out, HasSubstr("Contexts  playground, production\n"));
}

TEST_F(IppctlConfig, ASwitchOfTheFileCanBeTurnedOff) {
  EXPECT_THAT(Row(Show({}, {"--context", "production"}), "tls"), HasSubstr("true"));
  EXPECT_THAT(Row(Show({{"IPPCTL_TLS", "false"}}, {"--context", "production"}), "tls"),
              ::testing::MatchesRegex("tls +false +IPPCTL_TLS"));
}

TEST_F(IppctlConfig, TheFileIsFoundWhereItIsSaidToBe) {
  const std::string other = folder_.Write("xdg/ippctl/config", "timeout = 1s\n");
  const std::string third = folder_.Write("third", "timeout = 2s\n");
  EXPECT_THAT(Row(Show({{"XDG_CONFIG_HOME", folder_ / "xdg"}}), "timeout"), HasSubstr("1s"));
  EXPECT_THAT(Row(Show({{"XDG_CONFIG_HOME", "relative"}}), "timeout"), HasSubstr("5s"));
  const std::map<std::string, std::string> named = {{"IPPCTL_CONFIG", other}};
  EXPECT_THAT(Row(Show(named), "timeout"), HasSubstr("1s"));
  EXPECT_THAT(Row(Show(named, {"--config", third}), "timeout"), HasSubstr("2s"));
  EXPECT_THAT(RunIn({}, {"config", "show"}).out, HasSubstr("File    none\nIn use  none\n"));
}

TEST_F(IppctlConfig, WhatIsWrongIsSaidWithItsPlace) {
  RunResult run = Show({}, {"--context", "prod"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.err, HasSubstr("--context: prod is not a context of " + path_ +
                                 ", which has playground, production\n"));
  run = RunIn({{"IPPCTL_CONTEXT", "a"}}, {"config", "show"});
  EXPECT_THAT(run.err,
              HasSubstr("IPPCTL_CONTEXT: a is not a context: there is no configuration file\n"));
  run = Show({{"IPPCTL_CONFIG", "/nowhere/config"}});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.err, HasSubstr("cannot read the configuration file /nowhere/config\n"));
  EXPECT_EQ(Show({}, {"--config", folder_ / "home"}).exit_code, 2);
  const std::string bad = folder_.Write("bad", "\ntimeout = soon\n");
  run = Show({{"IPPCTL_CONFIG", bad}});
  EXPECT_THAT(run.err, HasSubstr(bad + ":2: timeout: the value is not a duration such as"));
  run = Show({{"IPPCTL_TLS", "perhaps"}});
  EXPECT_THAT(run.err, HasSubstr("IPPCTL_TLS: 'perhaps' is neither true nor false\n"));
}

TEST_F(IppctlConfig, ATokenIsNeverShown) {
  folder_.Write("home/token", "s3cret");
  const RunResult run = Show({}, {"--context", "production"});
  EXPECT_THAT(Row(run, "token-file"), HasSubstr("/home/token"));
  EXPECT_THAT(run.out + run.err, Not(HasSubstr("s3cret")));
}

TEST_F(IppctlConfig, JsonIsOneObject) {
  const RunResult run =
      RunIn({{"IPPCTL_CONFIG", folder_.Write("c", "[a]\ntls = true\n")}, {"IPPCTL_CONTEXT", "a"}},
            {"config", "show", "-o", "json"});
  EXPECT_THAT(run.out, HasSubstr("{\"file\":\"" + (folder_ / "c") +
                                 "\",\"context\":\"a\",\"settings\":{\"address\":{\"value\":"
                                 "\"localhost:50051\",\"from\":\"default\"},"));
  EXPECT_THAT(run.out,
              HasSubstr("\"tls\":{\"value\":\"true\",\"from\":\"" + (folder_ / "c") + ":2\"}"));
}

}  // namespace
}  // namespace ipp::ippctl
