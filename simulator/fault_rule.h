#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "simulator/fields.h"
#include "simulator/json_writer.h"

namespace ipp::simulator {

// The points at which rules are evaluated.
enum class FaultPoint {
  kConnection,  // a connection to the API was accepted
  kRequest,     // the head of an API request was read
  kStream,      // the same over HTTP/2; rules of kRequest are asked there too
  kDelivery,    // a webhook sets off to a receiver
  kAttempt,     // one try of it is about to be signed and sent
};

enum class FaultKind {
  kRefuseConnection,
  kDelay,
  kResetBeforeRead,
  kResetAfterRead,
  kCloseAfterRead,
  kErrorBefore,
  kErrorAfter,
  kCutBody,
  kMalformedJson,
  kSlowBody,
  kTooMany,
  kHang,
  kRefuseStream,
  kGoAway,
  kLose,
  kDouble,
  kLate,
  kReorder,
  kBadSignature,
  kRotatedSecret,
  kHuge,
  kStaleTimestamp,
};

std::string_view Name(FaultKind kind);
FaultPoint PointOf(FaultKind kind);

// One fault to inject. README.md says what each kind does and which members it reads.
struct FaultRule {
  std::string on;    // an operation of the API, "*" for all of them, or "webhook"
  std::string type;  // of the webhook; empty: any
  FaultKind kind = FaultKind::kLose;
  int64_t count = 1;  // 0: without end
  int64_t skip = 0;
  double probability = 1.0;
  std::chrono::milliseconds delay{0};
  bool commit = true;
  bool after_read = false;  // refuse_stream
  bool processed = false;   // goaway: its last stream is not before this one
  bool answer = false;      // goaway
  int status = 503;
  std::optional<std::chrono::seconds> retry_after;
  bool retry_after_date = false;
  int64_t bytes = 0;
  std::chrono::seconds age{0};
  bool only_next_secret = false;
  std::string next_secret;  // whsec_<base64>
};

// Reads the array "faults" of a document, or the document as a single rule if it has no such
// member. Errors go to the body's errors, by the member's path.
std::vector<FaultRule> ReadFaultRules(Body& document, bool may_be_one_rule,
                                      const std::vector<std::string_view>& operations);

// The members as read, without the secret and without braces around them.
void RenderMembers(const FaultRule& rule, JsonWriter& json);

}  // namespace ipp::simulator
