#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "ippclient/error.h"
#include "kustom/ipp/v1/outcome.pb.h"
#include "kustom/ipp/v1/session.pb.h"
#include "kustom/ipp/v1/session_event.pb.h"
#include "tests/faults/creates/cell.h"

namespace ipp::faults {

using client::FieldViolation;
using client::Outcome;

// A create that the simulator has read to its end.
struct ReadRequest {
  int64_t sequence = 0;
  int connection = 0;
  std::string protocol;  // "h1", "h2"
  std::string fault;     // that struck it; empty: none
  bool executed = false;
  int status = 0;          // answered; 0: nothing
  std::string session_id;  // that it made
  std::string word;        // the gateway's, that came along: the request_id in it
};

struct MadeSession {
  std::string session_id;
  std::string status;  // the upstream's word
  int64_t order_amount = 0;
};

// What the simulator knows of the round's reference at one moment.
struct TruthOfCreate {
  std::vector<ReadRequest> reads;
  std::vector<MadeSession> sessions;
};

// How a call that creates ended for its caller.
struct CallerAnswer {
  bool made = false;  // there was such a call
  // It ended without a word of the gateway: cancelled, its own deadline, a connection that broke.
  bool gone = false;
  client::Error error;  // `code` OK: none
  kustom::ipp::v1::CreateSessionResponse response;
  std::string trailer_id;  // x-request-id

  bool ok() const { return made && !gone && error.code == grpc::StatusCode::OK; }
};

// What the gateway says of a create.
struct ToldOutcome {
  bool known = false;  // false: CREATE_NOT_FOUND, or the id to ask with is not known
  kustom::ipp::v1::CreateOutcome outcome;

  kustom::ipp::v1::CreateState state() const { return outcome.state(); }
};

// All that was seen in a round, as plain values: what the verdict is about.
struct RoundRecord {
  Cell cell;
  kustom::ipp::v1::CreateSessionRequest sent;
  // The id of the create: the caller's own, or the one it got; empty: not known.
  std::string request_id;

  CallerAnswer first;
  // The same create at the other replica, while the first was dead or had it under way.
  CallerAnswer elsewhere;
  // When the first was no longer under way and the upstream stood still, before anybody tried again
  // (but for `elsewhere`).
  TruthOfCreate truth;
  ToldOutcome told;
  // When what can settle it had settled it, or the round had waited for long.
  ToldOutcome settled;
  ToldOutcome listed;  // the same, by ListCreateOutcomes

  CallerAnswer retry;
  TruthOfCreate truth_after_retry;
  CallerAnswer other;  // the same id with another amount
  TruthOfCreate truth_at_end;
  ToldOutcome told_at_end;

  // Where there is a session, after it was paid.
  std::vector<kustom::ipp::v1::SessionEvent> events;
  bool events_listed_alike = true;
  bool watched = false;  // by request_id
  bool watch_ended_ok = false;
  kustom::ipp::v1::Session watch_last;
  std::optional<kustom::ipp::v1::Session> read_back;  // GetSession

  // The store is shared: a create whose gateway died is UNDER_WAY for a while, and UNKNOWN then.
  bool orphans_found_late = false;
  bool struck = false;            // the fault, at least once
  bool was_reused = false;        // the connection of the first read request
  bool killed_under_way = false;  // the upstream had read it, and no answer was given
};

// For a person.
std::string Describe(const RoundRecord& record);

}  // namespace ipp::faults
