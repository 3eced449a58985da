#include <gtest/gtest.h>

#include "client/ippctl/report.h"
#include "tests/client/fake_gateway.h"
#include "tests/client/ippctl_run.h"

// How errors of the gateway and of the way to it are reported.
namespace ipp::ippctl {
namespace {

TEST(IppctlReports, AnErrorAsJsonForMachines) {
  client::FakeGateway gateway;
  gateway.sessions.create = [](auto*, const auto&, auto*) {
    return client::GatewayError(MakeError(
        absl::StatusCode::kInvalidArgument, "it failed",
        {.reason = "INVALID_REQUEST",
         .metadata = {{"outcome", "REJECTED"}, {"trace_id", "4bf9"}, {"retry_safe", "true"}},
         .violations = {{"device_id", "is \"odd\""}},
         .retry_after = std::nullopt}));
  };
  for (const char* format : {"json", "ndjson", "yaml", "jsonpath=.a"}) {
    const RunResult run =
        RunAt(gateway.address(), {"sessions", "create", "--device", "d", "--currency", "SEK",
                                  "--amount", "1", "--request-id", "r-1", "-o", format});
    EXPECT_EQ(run.exit_code, 3);
    EXPECT_EQ(run.out, "");
    EXPECT_EQ(run.err,
              "{\"error\":{\"code\":\"INVALID_ARGUMENT\",\"reason\":\"INVALID_REQUEST\","
              "\"message\":\"it failed\",\"violations\":[{\"field\":\"device_id\","
              "\"description\":\"is \\\"odd\\\"\"}],\"outcome\":\"REJECTED\","
              "\"retry\":\"correct-first\",\"what_to_do\":\"correct the named fields\","
              "\"request_id\":\"r-1\",\"trace_id\":\"4bf9\",\"exit_code\":3}}\n");
  }
}

TEST(IppctlReports, TheOrderAndTheTraceOfACancelThatCameTooLate) {
  client::FakeGateway gateway;
  gateway.sessions.cancel = [](auto*, const auto&, auto*) {
    return client::GatewayError(MakeError(absl::StatusCode::kFailedPrecondition, "it is paid",
                                          {.reason = "SESSION_ALREADY_FINALIZED",
                                           .metadata = {{"order_id", "o-1"}, {"trace_id", "4bf9"}},
                                           .violations = {},
                                           .retry_after = std::nullopt}));
  };
  EXPECT_EQ(RunAt(gateway.address(), {"sessions", "cancel", "s"}).err,
            "ippctl: FAILED_PRECONDITION (SESSION_ALREADY_FINALIZED): it is paid\n"
            "order id: o-1\n"
            "retry: of no use\n"
            "what to do: it is paid: deliver, or refund the order\n"
            "trace id: 4bf9\n");
}

struct TroubleCase {
  const char* name;
  const char* said;
  bool tls;
  const char* meaning;
};

class IppctlConnectionTrouble : public ::testing::TestWithParam<TroubleCase> {};

TEST_P(IppctlConnectionTrouble, IsSaidInWords) {
  client::Error error;
  error.code = grpc::StatusCode::UNAVAILABLE;
  error.message = GetParam().said;
  const Way way = {.address = "shop:50051", .tls = GetParam().tls};
  EXPECT_EQ(ConnectionTrouble(error, way), GetParam().meaning);
  error.reason = "STORE_UNAVAILABLE";  // the gateway's own words
  EXPECT_EQ(ConnectionTrouble(error, way), "");
}

// What gRPC 1.51 says, as seen.
INSTANTIATE_TEST_SUITE_P(
    All, IppctlConnectionTrouble,
    ::testing::ValuesIn(std::vector<TroubleCase>{
        {"PlaintextToTls",
         "failed to connect to all addresses; last error: UNAVAILABLE: ipv4:127.0.0.1:1: Socket "
         "closed",
         false,
         "shop:50051 closed the connection: it may speak TLS, so give --ca-file FILE, or "
         "--tls"},
        {"TlsToPlaintext",
         "Ssl handshake failed: SSL_ERROR_SSL: error:0A00010B:SSL routines::wrong version number",
         true,
         "shop:50051 does not speak TLS: leave out --tls and the certificate files, or use "
         "the TLS port"},
        {"Authority",
         "Ssl handshake failed: SSL_ERROR_SSL: error:0A000086:SSL routines::certificate verify "
         "failed",
         true,
         "the certificate of shop:50051 is not signed by the authorities in use: give the "
         "right --ca-file"},
        {"Name", "UNKNOWN: ipv4:127.0.0.1:1: Peer name 127.0.0.1 is not in peer certificate", true,
         "the certificate of shop:50051 is for another name: use the host name that it has in "
         "--address"},
        {"Refused", "Failed to connect to remote host: Connection refused", false,
         "nothing listens at shop:50051: is the gateway running, and is the port that of gRPC?"},
        {"Dns", "DNS resolution failed for shop:50051: C-ares status is not ARES_SUCCESS", false,
         "the host of shop:50051 is not known: look at --address and at the network"},
        {"Http", "Trying to connect an http1.x server", false,
         "shop:50051 is an HTTP port, not the gRPC port: the webhook or admin port, or another "
         "server?"},
        {"SomethingElse", "gone", false, ""}}),
    [](const auto& info) { return info.param.name; });

// What the gateway answers → exit code and text.
struct BadAnswer {
  const char* name;
  absl::StatusCode code;
  ErrorDetail detail;
  int exit_code;
  const char* err;
};

ErrorDetail Detail(std::string reason, std::map<std::string, std::string> metadata,
                   std::vector<FieldViolation> violations = {},
                   std::optional<absl::Duration> retry_after = std::nullopt) {
  return {std::move(reason), std::move(metadata), std::move(violations), retry_after};
}

class IppctlReports : public ::testing::TestWithParam<BadAnswer> {};

TEST_P(IppctlReports, AnErrorOfTheGateway) {
  client::FakeGateway gateway;
  gateway.sessions.create = [](auto*, const auto&, auto*) {
    return client::GatewayError(MakeError(GetParam().code, "it failed", GetParam().detail));
  };
  const RunResult run =
      RunAt(gateway.address(), {"sessions", "create", "--device", "d", "--currency", "SEK",
                                "--amount", "1", "--request-id", "r-1"});
  EXPECT_EQ(run.exit_code, GetParam().exit_code);
  EXPECT_EQ(run.out, "");
  EXPECT_EQ(run.err, GetParam().err);
}

INSTANTIATE_TEST_SUITE_P(
    All, IppctlReports,
    ::testing::ValuesIn(std::vector<BadAnswer>{
        {"Violations", absl::StatusCode::kInvalidArgument,
         Detail("INVALID_REQUEST", {{"outcome", "NOT_SENT"}, {"retry_safe", "true"}},
                {{"device_id", "is not a UUID"}, {"order_items[0].name", "is\nempty"}}),
         3,
         "ippctl: INVALID_ARGUMENT (INVALID_REQUEST): it failed\n"
         "  device_id: is not a UUID\n"
         "  order_items[0].name: is\uFFFDempty\n"
         "outcome: NOT_SENT, nothing was sent\n"
         "retry: correct it first\n"
         "what to do: correct the named fields\n"
         "request id: r-1\n"},
        {"State", absl::StatusCode::kFailedPrecondition,
         Detail("CONFLICT", {{"outcome", "REJECTED"}, {"retry_safe", "false"}}), 3,
         "ippctl: FAILED_PRECONDITION (CONFLICT): it failed\n"
         "outcome: REJECTED, it was refused, nothing was done\n"
         "retry: correct it first\n"
         "request id: r-1\n"},
        {"Range", absl::StatusCode::kOutOfRange,
         Detail("CURSOR_EXPIRED", {{"oldest_cursor", "o"}, {"latest_cursor", "l"}}), 3,
         "ippctl: OUT_OF_RANGE (CURSOR_EXPIRED): it failed\n"
         "oldest_cursor: o\nlatest_cursor: l\nretry: correct it first\n"
         "what to do: go on with --after and the oldest cursor, or with --skip-expired; then read "
         "the sessions that you hold open\nrequest id: r-1\n"},
        {"NotFound", absl::StatusCode::kNotFound, Detail("DEVICE_NOT_FOUND", {}), 4,
         "ippctl: NOT_FOUND (DEVICE_NOT_FOUND): it failed\nretry: correct it first\n"
         "what to do: ippctl devices list shows the ids; a create then needs a new --request-id\n"
         "request id: r-1\n"},
        {"Denied", absl::StatusCode::kPermissionDenied, Detail("PERMISSION", {}), 5,
         "ippctl: PERMISSION_DENIED (PERMISSION): it failed\nretry: correct it first\nrequest id: "
         "r-1\n"},
        {"Anonymous", absl::StatusCode::kUnauthenticated, Detail("NO_TOKEN", {}), 5,
         "ippctl: UNAUTHENTICATED (NO_TOKEN): it failed\nretry: correct it first\nrequest id: "
         "r-1\n"},
        // An earlier call with the id may have been sent.
        {"NotAsked", absl::StatusCode::kUnavailable,
         Detail("STORE_UNAVAILABLE", {{"retry_safe", "true"}}, {}, absl::Seconds(3)), 7,
         "ippctl: UNAVAILABLE (STORE_UNAVAILABLE): it failed\n"
         "outcome: UNKNOWN, it may or may not have been done\n"
         "retry: after 3s, with --request-id r-1 only, which never does it twice\n"
         "what to do: run it again later, a create with the same --request-id; DATA_LOSS: the "
         "operator is to act\n"
         "request id: r-1\n"},
        {"NotSent", absl::StatusCode::kUnavailable,
         Detail("UPSTREAM_UNAVAILABLE", {{"outcome", "NOT_SENT"}, {"retry_safe", "true"}}, {},
                absl::Seconds(3)),
         6,
         "ippctl: UNAVAILABLE (UPSTREAM_UNAVAILABLE): it failed\n"
         "outcome: NOT_SENT, nothing was sent\n"
         "retry: safe after 3s\n"
         "what to do: run it again later\n"
         "request id: r-1\n"},
        {"Unknown", absl::StatusCode::kUnknown,
         Detail("OUTCOME_UNKNOWN",
                {{"outcome", "UNKNOWN"}, {"retry_safe", "false"}, {"request_id", "r-1"}}),
         7,
         "ippctl: UNKNOWN (OUTCOME_UNKNOWN): it failed\n"
         "outcome: UNKNOWN, it may or may not have been done\n"
         "retry: with --request-id r-1 only, which never does it twice\n"
         "what to do: a create: run it again with the same --request-id, or look with ippctl "
         "sessions outcomes; a tap: look at the session first; everything else: run it again\n"
         "request id: r-1\n"},
        {"MalformedAnswer", absl::StatusCode::kInternal,
         Detail("UPSTREAM_MALFORMED", {{"outcome", "UNKNOWN"}}), 7,
         "ippctl: INTERNAL (UPSTREAM_MALFORMED): it failed\n"
         "outcome: UNKNOWN, it may or may not have been done\n"
         "retry: with --request-id r-1 only, which never does it twice\n"
         "what to do: a create: run it again with the same --request-id; everything else: run it "
         "again\n"
         "request id: r-1\n"},
        {"LateWithoutVerdict", absl::StatusCode::kDeadlineExceeded, Detail("", {}), 7,
         "ippctl: DEADLINE_EXCEEDED: it failed\n"
         "outcome: UNKNOWN, it may or may not have been done\n"
         "retry: with --request-id r-1 only, which never does it twice\n"
         "request id: r-1\n"},
        {"Credentials", absl::StatusCode::kInternal,
         Detail("UPSTREAM_CREDENTIALS", {{"outcome", "REJECTED"}, {"retry_safe", "false"}}), 1,
         "ippctl: INTERNAL (UPSTREAM_CREDENTIALS): it failed\n"
         "outcome: REJECTED, it was refused, nothing was done\n"
         "retry: after the operator has acted\n"
         "what to do: the operator is to look at the gateway's API key for this merchant\n"
         "request id: r-1\n"},
        {"Busy", absl::StatusCode::kResourceExhausted,
         Detail("RATE_LIMITED", {}, {}, absl::Seconds(2)), 1,
         "ippctl: RESOURCE_EXHAUSTED (RATE_LIMITED): it failed\n"
         "retry: safe after 2s\n"
         "request id: r-1\n"}}),
    [](const auto& info) { return info.param.name; });

TEST(IppctlReports, AReadThatWasTooLateAsUnavailable) {
  client::FakeGateway gateway;
  gateway.sessions.get = [](auto*, const auto&, auto*) {
    return grpc::Status(grpc::StatusCode::DEADLINE_EXCEEDED, "late");
  };
  const RunResult run = RunAt(gateway.address(), {"sessions", "get", "s"});
  EXPECT_EQ(run.exit_code, 6);
  EXPECT_EQ(run.err,
            "ippctl: DEADLINE_EXCEEDED: late\nwhat to do: run it again with a longer --timeout\n");
}

TEST(IppctlReports, ATapWithoutAnswerAsSomethingToLookAt) {
  client::FakeGateway gateway;
  gateway.simulation.tap = [](auto*, const auto&, auto*) {
    return grpc::Status(grpc::StatusCode::DEADLINE_EXCEEDED, "late");
  };
  const RunResult run = RunAt(gateway.address(), {"simulate", "tap", "s"});
  EXPECT_EQ(run.exit_code, 7);
  EXPECT_EQ(run.err,
            "ippctl: DEADLINE_EXCEEDED: late\n"
            "outcome: UNKNOWN, it may or may not have been done\n"
            "retry: look first whether it was done\n");
}

}  // namespace
}  // namespace ipp::ippctl
