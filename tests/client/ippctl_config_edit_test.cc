#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "client/ippctl/config_file.h"
#include "tests/client/ippctl_run.h"
#include "tests/client/temporary_folder.h"

namespace ipp::ippctl {
namespace {

using ::testing::HasSubstr;

constexpr char kBefore[] =
    "# mine\n"
    "timeout = 5s  # short\n"
    "\n"
    "[shop]\n"
    "Address = a:1\n"
    "\n"
    "[other]  # later\n"
    "address = b:2";

struct EditCase {
  const char* name;
  const char* text;
  const char* context;
  const char* key;
  const char* value;
  const char* after;
};

class ConfigEdit : public ::testing::TestWithParam<EditCase> {};

TEST_P(ConfigEdit, LeavesTheRestAsItIs) {
  const EditCase& row = GetParam();
  EXPECT_EQ(WithSetting(row.text, row.context, row.key, row.value), row.after);
}

INSTANTIATE_TEST_SUITE_P(
    All, ConfigEdit,
    ::testing::ValuesIn(std::vector<EditCase>{
        {"EmptyFile", "", "", "timeout", "1s", "timeout = 1s\n"},
        {"EmptyFileSection", "", "shop", "timeout", "1s", "[shop]\ntimeout = 1s\n"},
        {"ReplacesAndKeepsTheComment", kBefore, "", "timeout", "1s",
         "# mine\ntimeout = 1s  # short\n\n[shop]\nAddress = a:1\n\n[other]  # later\naddress = "
         "b:2\n"},
        {"AddsBeforeTheFirstSection", kBefore, "", "merchant", "m",
         "# mine\ntimeout = 5s  # short\nmerchant = m\n\n[shop]\nAddress = a:1\n\n[other]  # "
         "later\naddress = b:2\n"},
        {"ReplacesInASectionWhateverItsCase", kBefore, "shop", "address", "c:3",
         "# mine\ntimeout = 5s  # short\n\n[shop]\naddress = c:3\n\n[other]  # later\naddress = "
         "b:2\n"},
        {"AddsToASection", kBefore, "shop", "tls", "true",
         "# mine\ntimeout = 5s  # short\n\n[shop]\nAddress = a:1\ntls = true\n\n[other]  # "
         "later\naddress = b:2\n"},
        {"AddsToTheLastSection", kBefore, "other", "tls", "true",
         "# mine\ntimeout = 5s  # short\n\n[shop]\nAddress = a:1\n\n[other]  # later\naddress = "
         "b:2\ntls = true\n"},
        {"MakesASection", kBefore, "new", "tls", "true",
         "# mine\ntimeout = 5s  # short\n\n[shop]\nAddress = a:1\n\n[other]  # later\naddress = "
         "b:2\n\n[new]\ntls = true\n"},
        {"SectionOnTheFirstLine", "[a]\ntls = true\n", "", "timeout", "1s",
         "timeout = 1s\n\n[a]\ntls = true\n"}}),
    [](const auto& info) { return info.param.name; });

class IppctlConfigCommands : public ::testing::Test {
 protected:
  RunResult Config(std::vector<std::string> args) {
    args.insert(args.begin(), "config");
    return RunIn({{"HOME", folder_ / "home"}}, args);
  }
  const TemporaryFolder folder_;
  const std::string path_ = folder_ / "home/.config/ippctl/config";
};

TEST_F(IppctlConfigCommands, SetMakesTheFileAndUseChoosesAContext) {
  EXPECT_EQ(Config({"list"}).out, "IN USE  CONTEXT  ADDRESS  MERCHANT\n");
  RunResult run = Config({"set", "--context", "shop", "address", "shop:50051"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.out, "Set address of shop in " + path_ + "\n");
  EXPECT_EQ(Config({"set", "timeout", "5s"}).exit_code, 0);
  EXPECT_EQ(Config({"use", "shop"}).exit_code, 0);
  EXPECT_EQ(folder_.Read("home/.config/ippctl/config"),
            "timeout = 5s\ncontext = shop\n\n[shop]\naddress = shop:50051\n");
  EXPECT_EQ(Config({"list"}).out,
            "IN USE  CONTEXT  ADDRESS     MERCHANT\n"
            "*       shop     shop:50051\n");
  EXPECT_EQ(Config({"list", "-o", "name"}).out, "context/shop\n");
  EXPECT_EQ(Config({"list", "-o", "json"}).out,
            "{\"contexts\":[{\"name\":\"shop\",\"address\":\"shop:50051\",\"in_use\":true}]}\n");
  const auto permissions = std::filesystem::status(path_).permissions();
  EXPECT_EQ(permissions & std::filesystem::perms::others_all, std::filesystem::perms::none);
}

TEST_F(IppctlConfigCommands, WhatIsWrongChangesNothing) {
  ASSERT_EQ(Config({"set", "timeout", "5s"}).exit_code, 0);
  for (const std::vector<std::string>& args : {std::vector<std::string>{"set", "timeout", "soon"},
                                               {"set", "tls", "maybe"},
                                               {"set", "output", "xml"},
                                               {"set", "token", "s3cret"},
                                               {"use", "nowhere"}}) {
    const RunResult run = Config(args);
    EXPECT_EQ(run.exit_code, 2) << args[1];
    EXPECT_EQ(run.err.find("s3cret"), std::string::npos);
  }
  EXPECT_EQ(folder_.Read("home/.config/ippctl/config"), "timeout = 5s\n");
}

TEST_F(IppctlConfigCommands, APathIsWhereTheUserIs) {
  ASSERT_EQ(Config({"set", "ca-file", "ca.pem"}).exit_code, 0);
  EXPECT_THAT(folder_.Read("home/.config/ippctl/config"),
              HasSubstr("ca-file = " + std::filesystem::current_path().string() + "/ca.pem\n"));
  ASSERT_EQ(Config({"set", "ca-file", "~/ca.pem"}).exit_code, 0);
  EXPECT_EQ(folder_.Read("home/.config/ippctl/config"), "ca-file = ~/ca.pem\n");
}

}  // namespace
}  // namespace ipp::ippctl
