#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <ostream>
#include <string>

#include "absl/strings/str_replace.h"
#include "server/base/error.h"
#include "server/config/config.h"

namespace ipp::config {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kGood[] = R"(upstream: {base_url: https://api.kustom.co}
merchants: [{id: PM1, api_key_file: key}]
store: {sqlite: {path: gateway.db}}
)";

struct BadRow {
  std::string name;
  std::string yaml;  // "+" in front: after kGood
  std::map<std::string, std::string> environment;
  std::string field;    // of the first violation
  std::string message;  // all of it
};

void PrintTo(const BadRow& row, std::ostream* out) { *out << row.name; }

std::string TextOf(const BadRow& row) {
  return row.yaml.empty() || row.yaml[0] != '+' ? row.yaml : kGood + row.yaml.substr(1);
}

class BadConfig : public ::testing::TestWithParam<BadRow> {};

TEST_P(BadConfig, IsRefusedNamingKeyAndPlace) {
  const BadRow& row = GetParam();
  const absl::Status status = Parse(TextOf(row), "g.yaml", row.environment).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(std::string(status.message()), row.message);
  const ErrorDetail detail = GetErrorDetail(status);
  EXPECT_EQ(detail.reason, "INVALID_CONFIG");
  ASSERT_FALSE(detail.violations.empty());
  EXPECT_EQ(detail.violations[0].field, row.field);
}

// A configuration with one thing of kGood replaced by another.
std::string With(const std::string& from, const std::string& to) {
  return absl::StrReplaceAll(kGood, {{from, to}});
}
std::string WithUrl(const std::string& url) { return With("https://api.kustom.co", url); }
std::string WithMerchant(const std::string& merchant) {
  return With("{id: PM1, api_key_file: key}", merchant);
}
std::string WithCaller(const std::string& caller) {
  return absl::StrCat("+callers: [{", caller, "}]");
}

constexpr char kUrl[] = "g.yaml:1: upstream.base_url: ";
constexpr char kWholeNumber[] = "must be a whole number";
constexpr char kDuration[] = "must be a duration such as 10s, 1m30s or 500ms";
constexpr char kHostPort[] = "must be host:port, for example 127.0.0.1:50051 or [::1]:50051";

const BadRow kRead[] = {
    {"NotYaml", "a: [", {}, "", "g.yaml:1: not valid YAML: end of sequence flow not found"},
    {"NotYamlWithASecret",
     "%YAML hunter2\n---\na: b",
     {},
     "",
     "g.yaml:1: not valid YAML: bad YAML version"},
    {"BeginsWithComma", ", a", {}, "", "g.yaml:1: not valid YAML: unexpected character"},
    {"NestedTooDeep", std::string(5000, '['), {}, "", "g.yaml:1: not valid YAML: bad file"},
    {"RootIsText", "hello", {}, "", "g.yaml:1: must be a mapping of keys"},
    {"KeyIsList", "[a, b]: c", {}, "", "g.yaml:1: a key must be a word"},
    {"UnknownKey", "+colour: red", {}, "colour", "g.yaml:4: colour: no such key"},
    {"UnknownNestedKey",
     "+events:\n  retentoin: 1h",
     {},
     "events.retentoin",
     "g.yaml:5: events.retentoin: no such key (did you mean retention?)"},
    {"UnknownKeyInList",
     WithMerchant("{id: PM1, api_key: hunter2}"),
     {},
     "merchants[0].api_key",
     "g.yaml:2: merchants[0].api_key: no such key"},
    {"UnprintableKey", "+\"a\\nb\": 1", {}, "a\\nb", "g.yaml:4: a\\nb: no such key"},
    {"DuplicateKey",
     "+log_level: info\nlog_level: info",
     {},
     "log_level",
     "g.yaml:5: log_level: given twice, before at g.yaml:4"},
    {"DuplicateKeyInAnotherDocument",
     "+---\nstore:",
     {},
     "store",
     "g.yaml:5: store: given twice, before at g.yaml:3"},
    {"ListForMessage", "+admin: [a]", {}, "admin", "g.yaml:4: admin: must be a mapping of keys"},
    {"TextForMessage", "+tls: yes", {}, "tls", "g.yaml:4: tls: must be a mapping of keys"},
    {"TextForList", "+callers: all", {}, "callers", "g.yaml:4: callers: must be a list"},
    {"MappingForList", "+callers: {name: a}", {}, "callers", "g.yaml:4: callers: must be a list"},
    {"MappingForText",
     "+listen: {host: a}",
     {},
     "listen",
     "g.yaml:4: listen: must be a single value"},
    {"NullInListOfTexts",
     WithCaller("permissions: [~]"),
     {},
     "callers[0].permissions[0]",
     "g.yaml:4: callers[0].permissions[0]: must be a single value"},
    {"TextForNumber",
     "+events: {max_subscribers: many}",
     {},
     "events.max_subscribers",
     std::string("g.yaml:4: events.max_subscribers: ") + kWholeNumber},
    {"FractionForNumber",
     "+events: {max_subscribers: 1.5}",
     {},
     "events.max_subscribers",
     std::string("g.yaml:4: events.max_subscribers: ") + kWholeNumber},
    {"NumberBeyondInt32",
     "+events: {max_subscribers: 4294967297}",
     {},
     "events.max_subscribers",
     std::string("g.yaml:4: events.max_subscribers: ") + kWholeNumber},
    {"TextForBool",
     "+insecure: maybe",
     {},
     "insecure",
     "g.yaml:4: insecure: must be true or false"},
    {"DurationWithoutUnit",
     "+drain_timeout: 20",
     {},
     "drain_timeout",
     std::string("g.yaml:4: drain_timeout: ") + kDuration},
    {"DurationNegative",
     "+drain_timeout: -20s",
     {},
     "drain_timeout",
     std::string("g.yaml:4: drain_timeout: ") + kDuration},
    {"DurationInfinite",
     "+drain_timeout: inf",
     {},
     "drain_timeout",
     std::string("g.yaml:4: drain_timeout: ") + kDuration},
    {"DurationAsMessage",
     "+drain_timeout: {seconds: 1}",
     {},
     "drain_timeout",
     "g.yaml:4: drain_timeout: must be a single value"},
    {"ControlCharacter",
     "+log_level: \"in\\0fo\"",
     {},
     "log_level",
     "g.yaml:4: log_level: must not contain control characters"},
    {"UnknownVariable",
     kGood,
     {{"IPP_UPSTREAM__TIMEUOT", "1s"}},
     "upstream.timeuot",
     "IPP_UPSTREAM__TIMEUOT: upstream.timeuot: no such key (did you mean timeout?)"},
    {"VariableWithoutKey", kGood, {{"IPP_", "1s"}}, "", "IPP_: no such key"},
    {"VariableBelowText",
     kGood,
     {{"IPP_LISTEN__PORT", "1"}},
     "listen.port",
     "IPP_LISTEN__PORT: listen.port: listen has no keys that a variable can set"},
    {"VariableBelowList",
     kGood,
     {{"IPP_MERCHANTS__0__ID", "PM1"}},
     "merchants.0.id",
     "IPP_MERCHANTS__0__ID: merchants.0.id: merchants has no keys that a variable can set"},
    {"VariableOfWrongType",
     kGood,
     {{"IPP_UPSTREAM__TIMEOUT", "ten"}},
     "upstream.timeout",
     std::string("IPP_UPSTREAM__TIMEOUT: upstream.timeout: ") + kDuration},
    {"VariableWithAnUnprintableName",
     "",
     {{"IPP_A\n\xff", "b"}},
     "a\\n\\xff",
     "IPP_A\\n\\xff: a\\n\\xff: no such key"},
    {"VariableNotYaml",
     kGood,
     {{"IPP_MERCHANTS", "["}},
     "merchants",
     "IPP_MERCHANTS: merchants: not valid YAML: end of sequence flow not found"},
    {"VariableNotList",
     kGood,
     {{"IPP_MERCHANTS", "PM1"}},
     "merchants",
     "IPP_MERCHANTS: merchants: must be a list"},
    {"VariableWithUnknownKey",
     kGood,
     {{"IPP_ADMIN", "{lisen: a}"}},
     "admin.lisen",
     "IPP_ADMIN: admin.lisen: no such key (did you mean listen?)"},
};

const BadRow kRules[] = {
    {"ListenWithoutPort",
     "+listen: localhost",
     {},
     "listen",
     std::string("g.yaml:4: listen: ") + kHostPort},
    {"ListenPortTooLarge",
     "+listen: localhost:65536",
     {},
     "listen",
     std::string("g.yaml:4: listen: ") + kHostPort},
    {"ListenIpv6WithoutBrackets",
     "+listen: ::1:50051",
     {},
     "listen",
     std::string("g.yaml:4: listen: ") + kHostPort},
    {"ListenFromVariable",
     kGood,
     {{"IPP_LISTEN", ":1"}},
     "listen",
     std::string("IPP_LISTEN: listen: ") + kHostPort},
    {"SamePorts",
     "+webhooks: {listen: \"127.0.0.1:50051\"}",
     {},
     "webhooks.listen",
     "g.yaml:4: webhooks.listen: must have another port than listen"},
    {"PublicWithoutTls",
     "+listen: 0.0.0.0:1\ncallers: [{name: a, token_sha256_file: f, "
     "merchants: [PM1], permissions: [a.b]}]",
     {},
     "tls",
     "g.yaml: tls: is required unless listen is a loopback address or insecure is true"},
    {"PublicWithoutCallers",
     "+listen: \"[::]:1\"\ninsecure: true",
     {},
     "callers",
     "g.yaml: callers: at least one is required unless listen is a loopback address"},
    {"InsecureWithTls",
     "+insecure: true\ntls: {cert_file: a, key_file: b}",
     {},
     "insecure",
     "g.yaml:4: insecure: must not be true when tls is configured"},
    {"TlsWithoutKey",
     "+tls: {cert_file: a}",
     {},
     "tls.key_file",
     "g.yaml:4: tls.key_file: is required"},
    {"LogLevel",
     "+log_level: loud",
     {},
     "log_level",
     "g.yaml:4: log_level: must be one of debug, info, warning, error, off"},
    {"UrlMissing", WithUrl("\"\""), {}, "upstream.base_url", std::string(kUrl) + "is required"},
    {"UrlScheme",
     WithUrl("ftp://api.kustom.co"),
     {},
     "upstream.base_url",
     std::string(kUrl) + "must begin with https:// (or http:// to loopback)"},
    {"UrlPlaintext",
     WithUrl("http://api.kustom.co"),
     {},
     "upstream.base_url",
     std::string(kUrl) + "must be https:// unless the host is loopback"},
    {"UrlLooksLikeLoopback",
     WithUrl("http://127.0.0.1.kustom.co"),
     {},
     "upstream.base_url",
     std::string(kUrl) + "must be https:// unless the host is loopback"},
    {"UrlUserinfo",
     WithUrl("https://me:hunter2@api.kustom.co"),
     {},
     "upstream.base_url",
     std::string(kUrl) + "must not contain a user name or password"},
    {"UrlPath",
     WithUrl("https://api.kustom.co/v1"),
     {},
     "upstream.base_url",
     std::string(kUrl) + "must end after the host and port: no path, no '/'"},
    {"UrlQuery",
     WithUrl("\"https://api.kustom.co?a\""),
     {},
     "upstream.base_url",
     std::string(kUrl) + "must end after the host and port: no path, no '/'"},
    {"UrlWithoutHost",
     WithUrl("https://"),
     {},
     "upstream.base_url",
     std::string(kUrl) + "must name a host, with a port or without"},
    {"UrlPort",
     WithUrl("\"https://api.kustom.co:0\""),
     {},
     "upstream.base_url",
     std::string(kUrl) + "must name a host, with a port or without"},
    {"UpstreamTimeoutZero",
     "+drain_timeout: 1s",
     {{"IPP_UPSTREAM__TIMEOUT", "0"}},
     "upstream.timeout",
     "IPP_UPSTREAM__TIMEOUT: upstream.timeout: must be from 10ms to 5m"},
    {"MaxInFlightZero",
     "+",
     {{"IPP_UPSTREAM__MAX_IN_FLIGHT", "0"}},
     "upstream.max_in_flight",
     "IPP_UPSTREAM__MAX_IN_FLIGHT: upstream.max_in_flight: must be from 1 to 100000"},
    {"NoMerchants",
     With("merchants: [{id: PM1, api_key_file: key}]", "merchants: []"),
     {},
     "merchants",
     "g.yaml:2: merchants: at least one is required"},
    {"MerchantEmpty",
     WithMerchant("~"),
     {},
     "merchants[0].id",
     "g.yaml:2: merchants[0].id: is required\ng.yaml:2: merchants[0].api_key_file: is required"},
    {"MerchantIdWithSpace",
     WithMerchant("{id: PM 1, api_key_file: key}"),
     {},
     "merchants[0].id",
     "g.yaml:2: merchants[0].id: must be visible ASCII characters, without spaces"},
    {"MerchantTwice",
     WithMerchant("{id: PM1, api_key_file: key}, {id: PM1, api_key_file: other}"),
     {},
     "merchants[1].id",
     "g.yaml:2: merchants[1].id: is there twice"},
    {"UsernameWithColon",
     WithMerchant("{id: PM1, api_key_file: key, username: \"a:b\"}"),
     {},
     "merchants[0].username",
     "g.yaml:2: merchants[0].username: must not contain a colon"},
    {"NoStore",
     With("store: {sqlite: {path: gateway.db}}", ""),
     {},
     "store",
     "g.yaml: store: is required, for example {sqlite: {path: gateway.db}}"},
    {"NoStorePath",
     With("path: gateway.db", ""),
     {},
     "store.sqlite.path",
     "g.yaml:3: store.sqlite.path: is required"},
    {"HeartbeatTooShort",
     "+events: {heartbeat_interval: 1ms}",
     {},
     "events.heartbeat_interval",
     "g.yaml:4: events.heartbeat_interval: must be from 100ms to 10m"},
    {"RetentionTooLong",
     "+events: {retention: 9000h}",
     {},
     "events.retention",
     "g.yaml:4: events.retention: must be from 1s to 8784h"},
    {"NoSubscribersForACaller",
     "+events: {max_subscribers_per_caller: 0}",
     {},
     "events.max_subscribers_per_caller",
     "g.yaml:4: events.max_subscribers_per_caller: must be from 1 to 1000000"},
    {"FirstCheckAtOnce",
     "+reconcile: {first: 0s}",
     {},
     "reconcile.first",
     "g.yaml:4: reconcile.first: must be from 100ms to 1h"},
    {"LongestPauseBelowTheFirst",
     "+reconcile: {first: 1m, max: 59s}",
     {},
     "reconcile.max",
     "g.yaml:4: reconcile.max: must be from 1m to 24h"},
    {"WatchedTooOften",
     "+reconcile: {watched: 1ms}",
     {},
     "reconcile.watched",
     "g.yaml:4: reconcile.watched: must be from 100ms to 1h"},
    {"NoReads",
     "+reconcile: {max_in_flight: 0}",
     {},
     "reconcile.max_in_flight",
     "g.yaml:4: reconcile.max_in_flight: must be from 1 to 1000"},
    {"NoReadsASecond",
     "+reconcile: {reads_per_second: 0}",
     {},
     "reconcile.reads_per_second",
     "g.yaml:4: reconcile.reads_per_second: must be from 1 to 10000"},
    {"OverdueAtOnce",
     "+reconcile: {overdue: 0s}",
     {},
     "reconcile.overdue",
     "g.yaml:4: reconcile.overdue: must be from 1s to 8784h"},
    {"UnknownCorrelation",
     "+creates: {correlation: maybe}",
     {},
     "creates.correlation",
     "g.yaml:4: creates.correlation: must be one of first_empty, merchant_data, "
     "merchant_reference2, off"},
    {"SentForNoTime",
     "+creates: {send_for: 0s}",
     {},
     "creates.send_for",
     "g.yaml:4: creates.send_for: must be from 100ms to 5m"},
    {"SettledAtOnce",
     "+creates: {settle: 0s}",
     {},
     "creates.settle",
     "g.yaml:4: creates.settle: must be from 1s to 24h"},
    {"PostgresWithoutConnectionString",
     With("{sqlite: {path: gateway.db}}", "{postgres: {password_file: p}}"),
     {},
     "store.postgres.dsn_file",
     "g.yaml:3: store.postgres.dsn_file: is required"},
    {"TwoStores",
     With("{sqlite: {path: gateway.db}}", "{sqlite: {path: a}, postgres: {dsn_file: d}}"),
     {},
     "store.postgres",
     "g.yaml:3: store.postgres: only one of sqlite and postgres"},
    {"CallerEmpty",
     WithCaller(""),
     {},
     "callers[0].name",
     "g.yaml:4: callers[0].name: is required\n"
     "g.yaml:4: callers[0].token_sha256_file: is required\n"
     "g.yaml:4: callers[0].merchants: at least one is required\n"
     "g.yaml:4: callers[0].permissions: at least one is required"},
    {"CallerOfUnknownMerchant",
     WithCaller("name: a, token_sha256_file: f, merchants: [PM1, PM2], permissions: [\"*\"]"),
     {},
     "callers[0].merchants[1]",
     "g.yaml:4: callers[0].merchants[1]: is not the id of a merchant above"},
    {"CallerTwice",
     "+callers:\n"
     "- &a {name: a, token_sha256_file: f, merchants: [PM1], permissions: [a.b]}\n- *a",
     {},
     "callers[1].name",
     "g.yaml:5: callers[1].name: is there twice"},
    {"WebhookPath",
     "+webhooks: {path: hooks}",
     {},
     "webhooks.path",
     "g.yaml:4: webhooks.path: must begin with '/' and have no query, fragment or space"},
    {"WebhookBodyTooLarge",
     "+webhooks: {max_body_bytes: 100000000}",
     {},
     "webhooks.max_body_bytes",
     "g.yaml:4: webhooks.max_body_bytes: must be from 1024 to 16777216"},
    {"EmptyFile",
     "",
     {},
     "upstream.base_url",
     "g.yaml: upstream.base_url: is required\ng.yaml: merchants: at least one is required\n"
     "g.yaml: store: is required, for example {sqlite: {path: gateway.db}}"},
};

std::string NameOf(const ::testing::TestParamInfo<BadRow>& info) { return info.param.name; }
INSTANTIATE_TEST_SUITE_P(Read, BadConfig, ::testing::ValuesIn(kRead), NameOf);
INSTANTIATE_TEST_SUITE_P(Rules, BadConfig, ::testing::ValuesIn(kRules), NameOf);

TEST(BadConfigs, NeverRepeatAPassword) {
  for (const std::string& yaml :
       {WithUrl("https://me:hunter2@api.kustom.co"), WithUrl("hunter2://me@api.kustom.co"),
        WithMerchant("{id: PM1, api_key: hunter2}"),
        WithMerchant("{id: PM1, api_key_file: [hunter2]}"), std::string("+drain_timeout: hunter2"),
        std::string("+insecure: hunter2")}) {
    const absl::Status status =
        Parse(yaml[0] == '+' ? kGood + yaml.substr(1) : yaml, "g", {}).status();
    EXPECT_EQ(GetErrorDetail(status).reason, "INVALID_CONFIG");
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr("hunter2")));
  }
}

}  // namespace
}  // namespace ipp::config
