#pragma once

#include <string>

#include "tests/faults/creates/record.h"

namespace ipp::faults {

inline constexpr char kRequestId[] = "11111111-1111-4111-8111-111111111111";
inline constexpr char kSessionId[] = "22222222-2222-4222-8222-222222222222";
inline constexpr char kOtherSessionId[] = "33333333-3333-4333-8333-333333333333";

// Records of rounds in which all promises were kept, to be doctored.

// Nothing went wrong: OK, and the retry gets the kept answer.
RoundRecord AnsweredRound();
// The answer was lost: UNKNOWN, then a webhook settled it, and the retry gets the session.
RoundRecord SettledRound();
// The request was lost, which the gateway cannot know: UNKNOWN, and the same again.
RoundRecord UnknownRound();
// Nothing could be sent: NOT_SENT, and the retry makes the session.
RoundRecord NotSentRound();
// The upstream refused it, and the refusal is kept.
RoundRecord RejectedRound();
// The upstream had no time for it (429): the retry makes the session.
RoundRecord GivenBackRound();
// HTTP/2 said that it had not looked at it, and the gateway sent it again by itself.
RoundRecord ResentRound();
// The caller left, without an id, so the id of the create is not known.
RoundRecord ForgottenRound();
// The gateway was killed; meanwhile the same came to the other replica.
RoundRecord KilledRound();

// Parts.
ReadRequest Read(bool executed, int status, const std::string& fault = "");
MadeSession Made(const std::string& session_id = kSessionId);
CallerAnswer Ok(bool replayed);
CallerAnswer Failed(grpc::StatusCode code, const std::string& reason, Outcome outcome, bool safe);
CallerAnswer Gone(grpc::StatusCode code);
ToldOutcome Told(kustom::ipp::v1::CreateState state);

}  // namespace ipp::faults
