#include <gtest/gtest.h>

#include "tests/client/ippctl_run.h"
#include "tests/client/temporary_folder.h"

namespace ipp::ippctl {
namespace {

struct BadRange {
  const char* name;
  std::vector<std::string> args;
  const char* err;
};

// What can be wrong with `webhooks listen` once there is a secret.
class IppctlListenRefuses : public ::testing::TestWithParam<BadRange> {};

TEST_P(IppctlListenRefuses, WrongUsage) {
  const TemporaryFolder folder;
  std::vector<std::string> args = {"webhooks",      "listen",
                                   "--forward-to",  "http://localhost:1/",
                                   "--secret-file", folder.Write("secret", "whsec_a2V5IG9uZQ==\n")};
  args.insert(args.end(), GetParam().args.begin(), GetParam().args.end());
  const RunResult run = RunAt("127.0.0.1:1", args);
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_EQ(run.out, "");
  EXPECT_EQ(run.err, GetParam().err);
}

INSTANTIATE_TEST_SUITE_P(
    All, IppctlListenRefuses,
    ::testing::ValuesIn(std::vector<BadRange>{
        {"ToAlone", {"--to", "now"}, "ippctl: --to needs --from: oldest or a time\n"},
        {"FromNowTo",
         {"--from", "now", "--to", "now"},
         "ippctl: --to needs --from: oldest or a time\n"},
        {"ToWhen",
         {"--from", "oldest", "--to", "oldest"},
         "ippctl: --to: 'oldest' is not now or a time such as 2026-01-31T08:00:00Z\n"},
        {"ToBeforeFrom",
         {"--from", "2020-01-02T00:00:00Z", "--to", "2020-01-01T00:00:00Z"},
         "ippctl: --to lies before --from\n"},
        {"ToLater",
         {"--from", "oldest", "--to", "2999-01-01T00:00:00Z"},
         "ippctl: --to lies in the future; without it, what is yet to come is sent too\n"},
        {"ToAfterCursor",
         {"--after", "c", "--to", "now"},
         "ippctl: --after and --to exclude each other\n"},
        {"ToWithCursorFile",
         {"--from", "oldest", "--to", "now", "--cursor-file", "f"},
         "ippctl: --cursor-file and --to exclude each other\n"},
        {"TwoStarts",
         {"--from", "oldest", "--after", "c"},
         "ippctl: --after and --from exclude each other\n"},
        {"From",
         {"--from", "yesterday"},
         "ippctl: --from: 'yesterday' is not oldest, now or a time such as 2026-01-31T08:00:00Z\n"},
        {"CaFile",
         {"--forward-ca-file", "/nowhere/ca.pem"},
         "ippctl: cannot read ca_file /nowhere/ca.pem\n"}}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace ipp::ippctl
