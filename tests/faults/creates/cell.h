#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "kustom/ipp/v1/session.pb.h"

namespace ipp::faults {

// One thing that goes wrong while a session is created: a line of the table.
struct MatrixFault {
  std::string name;         // "reset_after_read/uncommitted"
  bool http2_only = false;  // HTTP/1.1 has nothing of the kind
  bool by_webhook = false;  // strikes the webhook of a create whose answer is lost as well
  bool with_kills = false;  // of use when the gateway is killed meanwhile
};
// In the order of the table.
const std::vector<MatrixFault>& MatrixFaults();

enum class Patience {
  kWaits,     // for the answer
  kCancels,   // goes away at some moment
  kDeadline,  // has one that passes at some moment
};

// What the caller itself says in the two fields in which the gateway may put its mark.
enum class OwnFields { kNone, kMerchantData, kReference2, kBoth };

// What somebody else does while the create is under way.
enum class Meanwhile {
  kNothing,
  kKill,  // the gateway that has it is killed, and started again
  kJoin,  // the same create comes to the other replica
};

// One round, before it begins.
struct Cell {
  std::string fault;         // a name of MatrixFaults
  std::string dialect;       // the bed's; empty: plain words
  bool clock_steps = false;  // the gateways' clocks, at any time
  uint64_t seed = 0;
  int round = 0;

  bool http2 = false;
  // The gateway's transport learns which requests the upstream did not process.
  bool knows_refusals = false;
  bool reused = false;  // an upstream connection that was used before; else a fresh one
  bool own_id = false;  // the caller brings a request_id
  Patience patience = Patience::kWaits;
  absl::Duration time;  // the caller's: its deadline, or when it cancels
  OwnFields own_fields = OwnFields::kNone;
  std::string rules;          // for PUT /_sim/faults
  bool knock = false;         // a connection made by us takes the first strike
  bool close_unused = false;  // connections that carry nothing are closed meanwhile
  absl::Duration close_at;
  bool named_late = false;    // no webhook of the create comes: a later one names the session
  bool named_by_tap = false;  // that one tells its end; else that the clerk chose how to pay
  Meanwhile meanwhile = Meanwhile::kNothing;
  absl::Duration meanwhile_at;
};

struct CellOptions {
  uint64_t seed = 1;
  bool http1 = true;
  bool http2 = true;
  bool knows_refusals = false;
  bool kill = false;
  int replicas = 1;  // receivers of each webhook
};
// The same for the same arguments, whatever ran before. Two dozen rounds of a fault, or one for
// HTTP/2 alone, go through every combination of protocol, connection, patience and id.
Cell DrawCell(const CellOptions& options, const MatrixFault& fault, int round);

// What the caller sends: the same for the same cell; request_id is empty unless it is its own.
kustom::ipp::v1::CreateSessionRequest RequestOf(const Cell& cell, const std::string& device_id);

// One line.
std::string Describe(const Cell& cell);

}  // namespace ipp::faults
