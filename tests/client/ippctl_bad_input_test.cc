#include <gtest/gtest.h>

#include "tests/client/ippctl_run.h"
#include "tests/client/temporary_folder.h"

namespace ipp::ippctl {
namespace {

// Nothing of this reaches a gateway: there is none.
struct BadInput {
  const char* name;
  std::vector<std::string> args;
  const char* err;
  const char* input = "";
};

class IppctlRefuses : public ::testing::TestWithParam<BadInput> {};

TEST_P(IppctlRefuses, WrongUsage) {
  const RunResult run = RunAt("127.0.0.1:1", GetParam().args, GetParam().input);
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_EQ(run.out, "");
  EXPECT_EQ(run.err, GetParam().err);
}

INSTANTIATE_TEST_SUITE_P(
    All, IppctlRefuses,
    ::testing::ValuesIn(std::vector<BadInput>{
        {"NoCommand", {}, "ippctl: a command is missing\nSee ippctl --help\n"},
        {"NotUtf8",
         {"devices", "list", "--location", "Caf\xe9"},
         "ippctl: argument 4 is not UTF-8: does the terminal use another character set?\nSee "
         "ippctl "
         "--help\n"},
        {"UnknownGroup",
         {"sesions"},
         "ippctl: unknown command sesions; did you mean sessions?\nSee ippctl --help\n"},
        {"UnknownCommand",
         {"sessions", "crate"},
         "ippctl: unknown command sessions crate; did you mean create?\nSee ippctl sessions "
         "--help\n"},
        {"NoCommandInGroup",
         {"events"},
         "ippctl: events needs a command\nSee ippctl events --help\n"},
        {"UnknownGlobalFlag",
         {"--adress", "x", "devices", "list"},
         "ippctl: unknown flag --adress; did you mean --address?\nSee ippctl --help\n"},
        {"UnknownFlag",
         {"devices", "list", "--locaton", "x"},
         "ippctl: unknown flag --locaton; did you mean --location?\nSee ippctl devices list "
         "--help\n"},
        {"MissingWord",
         {"devices", "get"},
         "ippctl: DEVICE_ID is missing\nSee ippctl devices get --help\n"},
        {"ExtraWord",
         {"devices", "get", "a", "b"},
         "ippctl: unexpected argument b\nSee ippctl devices get --help\n"},
        {"EmptyWord",
         {"sessions", "get", ""},
         "ippctl: SESSION_ID is empty\nSee ippctl sessions get --help\n"},
        {"Output",
         {"devices", "list", "-o", "xml"},
         "ippctl: --output: 'xml' is not one of table, wide, json, ndjson, yaml, name, jsonpath=; "
         "did "
         "you mean yaml?\n"
         "See ippctl devices list --help\n"},
        {"JsonPath",
         {"devices", "list", "-o", "jsonpath={.devices[*].id"},
         "{\"error\":{\"code\":\"USAGE\",\"message\":\"--output: a { has no "
         "}\",\"exit_code\":2}}\n"},
        {"UsageErrorAsJson",
         {"devices", "get", "-o", "json"},
         "{\"error\":{\"code\":\"USAGE\",\"message\":\"DEVICE_ID is missing\",\"exit_code\":2}}\n"},
        {"MisuseAsJson",
         {"enrollments", "create", "-o", "ndjson"},
         "{\"error\":{\"code\":\"USAGE\",\"message\":\"give one of --ttl and --expires-in\","
         "\"exit_code\":2}}\n"},
        {"Url",
         {"devices", "list", "--address", "http://localhost:50051/"},
         "ippctl: the address is HOST:PORT, not a URL: give localhost:50051\nSee ippctl --help\n"},
        {"UrlOfTls",
         {"devices", "list", "--address", "https://localhost:50051"},
         "ippctl: the address is HOST:PORT, not a URL: give localhost:50051, and --tls or "
         "--ca-file\nSee ippctl --help\n"},
        {"SinceAndFrom",
         {"events", "list", "--since", "1h", "--from", "2026-01-31T08:00:00Z"},
         "ippctl: --from and --since exclude each other\n"},
        {"TailAndLimit",
         {"events", "tail", "--tail", "1", "--limit", "1"},
         "ippctl: --tail and --limit exclude each other\n"},
        {"ConfigKey",
         {"config", "set", "--config", "f", "adress", "x"},
         "ippctl: adress: no such key; did you mean address?\n"},
        {"ConfigComment",
         {"config", "set", "--config", "f", "address", "x # y"},
         "ippctl: a value has no line breaks and no comment\n"},
        {"ConfigNowhere",
         {"config", "set", "address", "x"},
         "ippctl: there is no HOME: say which file with --config\n"},
        {"ConfigDevice",
         {"config", "set", "--config", "/dev/null", "address", "x"},
         "ippctl: /dev/null is not a file\n"},
        {"ConfigNoContext",
         {"config", "use", "--config", "/dev/null", "shop"},
         "ippctl: shop is not a context; ippctl config set --context NAME address HOST:PORT makes "
         "one\n"},
        {"TriggerAmount",
         {"trigger", "paid", "--amount", "0"},
         "ippctl: --amount: '0' is not 1 or more\nSee ippctl trigger paid --help\n"},
        {"TriggerSimulator",
         {"trigger", "expired", "--simulator", "localhost:1"},
         "ippctl: --simulator begins with neither http:// nor https://\n"},
        {"Timeout",
         {"devices", "list", "--timeout", "0s"},
         "ippctl: --timeout: '0s' is not a duration such as 10s or 1h30m\n"
         "See ippctl devices list --help\n"},
        {"Limit",
         {"devices", "list", "--limit", "0"},
         "ippctl: --limit: '0' is not 1 or more\nSee ippctl devices list --help\n"},
        {"TokenFile",
         {"devices", "list", "--token-file", "/nonexistent/token"},
         "ippctl: cannot read a token from /nonexistent/token\nSee ippctl --help\n"},
        {"Merchant",
         {"devices", "list", "--merchant", "a b"},
         "ippctl: the merchant has characters that a header cannot carry\nSee ippctl --help\n"},
        {"NothingToUpdate", {"devices", "update", "d"}, "ippctl: nothing to change\n"},
        {"UpdateContradiction",
         {"devices", "update", "d", "--name", "x", "--clear", "name"},
         "ippctl: --name and --clear name contradict each other\n"},
        {"ReplaceAndClear",
         {"devices", "update", "d", "--replace", "--clear", "name"},
         "ippctl: --replace clears what is not given: leave out --clear\n"},
        {"NoTtl", {"enrollments", "create"}, "ippctl: give one of --ttl and --expires-in\n"},
        {"WrongTtl",
         {"enrollments", "create", "--ttl", "3h"},
         "ippctl: --ttl: '3h' is not one of 2h, 24h, 48h, 72h; did you mean 2h?\n"
         "See ippctl enrollments create --help\n"},
        {"BothTtls",
         {"enrollments", "create", "--ttl", "2h", "--expires-in", "1h"},
         "ippctl: give one of --ttl and --expires-in\n"},
        {"NoDevice",
         {"sessions", "create", "--amount", "1", "--currency", "SEK"},
         "ippctl: --device is required\n"},
        {"NoAmount",
         {"sessions", "create", "--device", "d", "--currency", "SEK"},
         "ippctl: give --amount or --item\n"},
        {"AmountNotWhole",
         {"sessions", "create", "--device", "d", "--currency", "SEK", "--amount", "250.00"},
         "ippctl: --amount: '250.00' is not a whole number\nSee ippctl sessions create --help\n"},
        {"SumMismatch",
         {"sessions", "create", "--device", "d", "--currency", "SEK", "--amount", "1", "--item",
          "Tea,2,3,0"},
         "ippctl: --amount is 1, but the items sum up to 6\n"},
        {"TaxRate",
         {"sessions", "create", "--device", "d", "--currency", "SEK", "--amount", "1", "--tax-rate",
          "-1"},
         "ippctl: tax rate -1 is not 0 to 10000 basis points (2500 is 25 %)\n"},
        {"ItemAndName",
         {"sessions", "create", "--device", "d", "--currency", "SEK", "--item", "Tea,2,3,0",
          "--name", "x"},
         "ippctl: --name and --item exclude each other\n"},
        {"SumTooLarge",
         {"sessions", "create", "--device", "d", "--currency", "SEK", "--item",
          "A,1,9223372036854775807,0", "--item", "B,1,1,0"},
         "ippctl: the sum of the items is too large\n"},
        {"JsonAndAmount",
         {"sessions", "create", "--from-json", "-", "--amount", "1"},
         "ippctl: --amount and --from-json exclude each other\n"},
        {"JsonFile",
         {"sessions", "create", "--from-json", "/nonexistent/order.json"},
         "ippctl: cannot read /nonexistent/order.json\n"},
        {"WatchNothing",
         {"sessions", "watch"},
         "ippctl: give one of SESSION_ID and --request-id\n"},
        {"WatchTwo",
         {"sessions", "watch", "s", "--request-id", "r"},
         "ippctl: give one of SESSION_ID and --request-id\n"},
        {"OutcomeState",
         {"sessions", "outcomes", "--state", "lost"},
         "ippctl: --state: 'lost' is not one of under-way, not-sent, rejected, executed, unknown\n"
         "See ippctl sessions outcomes --help\n"},
        {"OutcomeLimit",
         {"sessions", "outcomes", "--limit", "-1"},
         "ippctl: --limit: '-1' is not 1 or more\nSee ippctl sessions outcomes --help\n"},
        {"OutcomeEmptyId",
         {"sessions", "outcomes", "--request-id", ""},
         "ippctl: --request-id is empty\nSee ippctl sessions outcomes --help\n"},
        {"OutcomeTwoIds",
         {"sessions", "outcomes", "--request-id", "a", "--request-id", "b"},
         "ippctl: --request-id is given twice\nSee ippctl sessions outcomes --help\n"},
        {"OutcomeIdAsWord",
         {"sessions", "outcomes", "r-1"},
         "ippctl: unexpected argument r-1\nSee ippctl sessions outcomes --help\n"},
        {"OutcomeIdAndState",
         {"sessions", "outcomes", "--request-id", "r", "--state", "unknown"},
         "ippctl: --state and --request-id exclude each other\n"},
        {"OutcomeIdAndMerchant",
         {"sessions", "outcomes", "--request-id", "r", "--only-merchant", "m"},
         "ippctl: --only-merchant and --request-id exclude each other\n"},
        {"TailFrom",
         {"events", "tail", "--from", "yesterday"},
         "ippctl: --from: 'yesterday' is not oldest, now or a time such as 2026-01-31T08:00:00Z\n"},
        {"TailTwoStarts",
         {"events", "tail", "--from", "now", "--after", "c"},
         "ippctl: --after and --from exclude each other\n"},
        {"TailTwoCursors",
         {"events", "tail", "--after", "c", "--cursor-file", "f"},
         "ippctl: --after and --cursor-file exclude each other\n"},
        {"ListenWhere",
         {"webhooks", "listen", "--secret-file", "f"},
         "ippctl: --secret-file needs --forward-to\n"},
        {"ListenSecret",
         {"webhooks", "listen", "--forward-to", "http://localhost"},
         "ippctl: --secret-file is required without a HOME\n"},
        {"ListenScheme",
         {"webhooks", "listen", "--secret-file", "f", "--forward-to", "ftp://localhost"},
         "ippctl: --forward-to begins with neither http:// nor https://\n"},
        {"ListenRemote",
         {"webhooks", "listen", "--secret-file", "f", "--forward-to", "https://shop.example"},
         "ippctl: --forward-to is not this machine: --allow-remote sends there all the same\n"},
        {"ListenPassword",
         {"webhooks", "listen", "--secret-file", "f", "--forward-to", "http://a:b@localhost"},
         "ippctl: --forward-to holds a user: leave it out\n"},
        {"ListenSecretFolder",
         {"webhooks", "listen", "--secret-file", "/nowhere/f", "--forward-to", "http://localhost"},
         "ippctl: cannot make /nowhere/f: No such file or directory\n"},
        {"ListenTypes",
         {"webhooks", "listen", "--secret-file", "f", "--forward-to", "http://localhost",
          "--all-types", "--type", "created"},
         "ippctl: --all-types and --type exclude each other\n"},
        {"ListenType",
         {"webhooks", "listen", "--secret-file", "f", "--forward-to", "http://localhost", "--type",
          "ipp.session.created"},
         "ippctl: --type: 'ipp.session.created' is not one of created, activated, payment-failed, "
         "finalized, cancelled, expired, failed, corrected, details\nSee ippctl webhooks listen "
         "--help\n"},
        {"ListenAttempts",
         {"webhooks", "listen", "--secret-file", "f", "--forward-to", "http://localhost",
          "--attempts", "0"},
         "ippctl: --attempts: '0' is not 1 or more\nSee ippctl webhooks listen --help\n"},
        {"ListenOnFailure",
         {"webhooks", "listen", "--secret-file", "f", "--forward-to", "http://localhost",
          "--on-failure", "panic"},
         "ippctl: --on-failure: 'panic' is not one of stop, skip\n"
         "See ippctl webhooks listen --help\n"},
        {"CompletionShell",
         {"completion", "powershell"},
         "ippctl: unknown command completion powershell\nSee ippctl completion --help\n"},
        {"HelpOfNothing",
         {"help", "exit-code"},
         "ippctl: unknown command exit-code\nSee ippctl --help\n"},
        {"ConfigFile",
         {"--config", "/nowhere/f", "devices", "list"},
         "ippctl: cannot read the configuration file /nowhere/f\nSee ippctl devices list --help\n"},
        {"Context",
         {"--context", "a", "devices", "list"},
         "ippctl: --context: a is not a context: there is no configuration file\n"
         "See ippctl devices list --help\n"},
        {"TapOutcome",
         {"simulate", "tap", "s", "--outcome", "lost"},
         "ippctl: --outcome: 'lost' is not one of success, declined-generic, insufficient-funds, "
         "lost-card, stolen-card, expired-card, incorrect-cvc, processing-error, incorrect-number, "
         "card-velocity-exceeded; did you mean lost-card?\nSee ippctl simulate tap --help\n"},
        {"DeviceName",
         {"simulate", "device"},
         "ippctl: --name is required\nSee ippctl simulate device --help\n"}}),
    [](const auto& info) { return info.param.name; });

TEST(IppctlFiles, ThatAreFoldersAreRefused) {
  const TemporaryFolder folder;
  for (const char* flag : {"--token-file", "--config"}) {
    EXPECT_EQ(RunAt("127.0.0.1:1", {"devices", "list", flag, folder / ""}).exit_code, 2) << flag;
  }
  EXPECT_EQ(RunAt("127.0.0.1:1", {"sessions", "create", "--from-json", folder / ""}).exit_code, 2);
  EXPECT_EQ(RunAt("127.0.0.1:1", {"events", "tail", "--cursor-file", folder / ""}).exit_code, 2);
  EXPECT_EQ(RunAt("127.0.0.1:1", {"webhooks", "listen", "--forward-to", "http://localhost",
                                  "--secret-file", folder / ""})
                .exit_code,
            2);
}

TEST(IppctlJson, RefusesWhatIsNotARequest) {
  const RunResult run =
      RunAt("127.0.0.1:1", {"sessions", "create", "--from-json", "-"}, "{\"amount\": 1}");
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_EQ(run.err.rfind("ippctl: standard input is not a CreateSessionRequest: ", 0), 0u)
      << run.err;
}

}  // namespace
}  // namespace ipp::ippctl
