#include "client/ippctl/what_to_do.h"

namespace ipp::ippctl {

// In the words of a person at a terminal; docs/when-a-call-fails.md has those for programs. A test
// compares the reasons (tests/docs_test.py).
const std::vector<Remedy>& Remedies() {
  static const std::vector<Remedy> kRemedies = {
      {"OUTCOME_UNKNOWN", Retry::kHelps,
       "a create: run it again with the same --request-id, or look with ippctl sessions outcomes; "
       "a tap: look at the session first; everything else: run it again"},
      {"UPSTREAM_MALFORMED", Retry::kHelps,
       "a create: run it again with the same --request-id; everything else: run it again"},
      {"UPSTREAM_UNEXPECTED", Retry::kOperator, "the operator is to look at upstream.base_url"},
      {"UPSTREAM_UNAVAILABLE", Retry::kHelps, "run it again later"},
      {"UPSTREAM_UNTRUSTED", Retry::kHelps,
       "run it again later; the operator is to act if it stays"},
      {"DEADLINE_EXCEEDED", Retry::kHelps, "run it again with a longer --timeout"},
      {"CANCELLED", Retry::kHelps, "run it again, if you still want to know"},
      {"UPSTREAM_RATE_LIMIT", Retry::kHelps, "wait, then run it again"},
      {"GATEWAY_OVERLOADED", Retry::kHelps, "wait, then run it again"},
      {"CALLER_LIMIT", Retry::kHelps,
       "wait, then run it again; if it happens often, ask the operator for a higher limit"},
      {"TOO_MANY_SUBSCRIBERS", Retry::kHelps, "wait, or end another stream first"},
      {"ANSWER_NOT_KEPT", Retry::kNotNeeded,
       "it was done: look for what it made with ippctl enrollments list or ippctl devices list"},
      {"STORE_UNAVAILABLE", Retry::kHelps,
       "run it again later, a create with the same --request-id; DATA_LOSS: the operator is to "
       "act"},
      {"DRAINING", Retry::kHelps, "run it again: another replica or the next process takes it"},
      {"STREAM_AGE", Retry::kHelps, "run it again"},
      {"REQUEST_ID_REUSED", Retry::kCorrectFirst,
       "leave out --request-id for a new order; for the same order give the same flags as before"},
      {"INVALID_REQUEST", Retry::kCorrectFirst, "correct the named fields"},
      {"UPSTREAM_REFUSED", Retry::kCorrectFirst,
       "correct the named fields, and leave out --request-id or give a new one"},
      {"UPSTREAM_CONFLICT", Retry::kCorrectFirst,
       "look at the device or the session; a create then needs a new --request-id"},
      {"NOT_FOUND", Retry::kCorrectFirst,
       "look at the id, and at --merchant; a create then needs a new --request-id"},
      {"DEVICE_NOT_FOUND", Retry::kCorrectFirst,
       "ippctl devices list shows the ids; a create then needs a new --request-id"},
      {"SESSION_NOT_FOUND", Retry::kCorrectFirst,
       "this gateway has not seen the session: look at the id, and at --merchant"},
      {"DAY_NOT_KEPT", Retry::kCorrectFirst, "ask for a later day; this one is no longer kept"},
      {"REPORT_TOO_LARGE", Retry::kCorrectFirst,
       "ask for fewer phones at once with --device or --location"},
      {"SUBSCRIPTION_NOT_FOUND", Retry::kCorrectFirst,
       "ippctl subscriptions list shows the names; ippctl subscriptions create makes one"},
      {"SUBSCRIPTION_EXISTS", Retry::kCorrectFirst,
       "use the settings that it has (ippctl subscriptions describe), or another name"},
      {"TOO_MANY_SUBSCRIPTIONS", Retry::kCorrectFirst,
       "delete one that is not needed: ippctl subscriptions list"},
      {"CREATE_NOT_FOUND", Retry::kCorrectFirst,
       "no create with this id was sent in the last year: look at the id, and at --merchant"},
      {"SESSION_ALREADY_FINALIZED", Retry::kNotNeeded, "it is paid: deliver, or refund the order"},
      {"UPSTREAM_CREDENTIALS", Retry::kOperator,
       "the operator is to look at the gateway's API key for this merchant"},
      {"UPSTREAM_BLOCKED", Retry::kOperator,
       "the operator is to look at the proxy or firewall between the gateway and Kustom"},
      {"NOT_SENDABLE", Retry::kOperator,
       "the operator is to look at the gateway's API key and base URL"},
      {"INTERNAL", Retry::kHelps,
       "a create: run it again with the same --request-id; report it with the trace id"},
      {"CURSOR_EXPIRED", Retry::kCorrectFirst,
       "go on with --after and the oldest cursor, or with --skip-expired; then read the sessions "
       "that you hold open"},
      {"CURSOR_FOREIGN", Retry::kCorrectFirst,
       "the cursor belongs to another log: begin with --from oldest, and compare with sessions "
       "get"},
      {"CURSOR_MALFORMED", Retry::kCorrectFirst,
       "give the cursor whole, as it was printed, or begin with --from oldest"},
      {"RESTORED_HOLDING", Retry::kHelps, "wait, then run it again with the same --request-id"},
      {"WATCH_BROKEN", Retry::kHelps, "watch the session again"},
      {"TOKEN_MISSING", Retry::kCorrectFirst, "give a token with --token-file"},
      {"TOKEN_UNKNOWN", Retry::kCorrectFirst,
       "look at the file of --token-file and at --context; the operator knows the caller's token"},
      {"CERTIFICATE_MISSING", Retry::kCorrectFirst, "give --cert-file and --key-file"},
      {"CERTIFICATE_UNKNOWN", Retry::kCorrectFirst,
       "the certificate belongs to no caller: look at --cert-file, or ask the operator"},
      {"CALLERS_DIFFER", Retry::kCorrectFirst,
       "token and certificate belong to two callers: leave one of them out"},
      {"PERMISSION_MISSING", Retry::kCorrectFirst,
       "ask the operator for the permission, or use another --context"},
      {"MERCHANT_NOT_ALLOWED", Retry::kCorrectFirst, "look at --merchant, or ask the operator"},
      {"MERCHANT_REQUIRED", Retry::kCorrectFirst, "say which merchant with --merchant"},
      {"METADATA_REPEATED", Retry::kCorrectFirst,
       "something between ippctl and the gateway adds a header twice: look at the proxy"},
      {"METADATA_TOO_LARGE", Retry::kCorrectFirst, "look at the token: it is too long"},
  };
  return kRemedies;
}

Remedy RemedyFor(const client::Error& error) {
  for (const Remedy& remedy : Remedies()) {
    if (remedy.reason == error.reason) return remedy;
  }
  switch (error.code) {
    case grpc::StatusCode::INVALID_ARGUMENT:
    case grpc::StatusCode::OUT_OF_RANGE:
    case grpc::StatusCode::FAILED_PRECONDITION:
    case grpc::StatusCode::NOT_FOUND:
    case grpc::StatusCode::ALREADY_EXISTS:
    case grpc::StatusCode::PERMISSION_DENIED:
    case grpc::StatusCode::UNAUTHENTICATED:
      return {.retry = Retry::kCorrectFirst};
    case grpc::StatusCode::UNIMPLEMENTED:
      return {.retry = Retry::kCorrectFirst,
              .what_to_do = "look at --address: no gateway of this version answers there"};
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return {.what_to_do = "run it again with a longer --timeout"};
    default:
      return {};
  }
}

}  // namespace ipp::ippctl
