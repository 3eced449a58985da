#pragma once

#include <string>
#include <vector>

#include "tests/faults/creates/record.h"

namespace ipp::faults {

// Whether the upstream has said of a create that it read that it has not looked at it: HTTP/2's
// REFUSED_STREAM (RFC 9113, 8.7), or a GOAWAY that leaves the stream out (6.8). The gateway may
// send such a one again by itself. HTTP/1.1 has nothing of the kind.
bool ProvenUnprocessed(const Cell& cell, const ReadRequest& read);

// Whether it was answered with a refusal that says nothing of the request (401, 403, 429): it was
// not done, and a caller that repeats it under the same id has it sent again.
bool GivenBack(const ReadRequest& read);

// Whether the retry of what was not done was sent on a way that broke: nothing came of it, and it
// says that it does not know. No promise is broken, but it must be rare; a run counts it.
bool BrokeAgain(const RoundRecord& record);

// Whether the gateway has what it takes to find out which create made the session: its answer, or
// its mark in a field that the caller left empty.
bool CanSettle(const RoundRecord& record);

// What a round breaks of "a shop is never charged twice"; empty: nothing.
//
// 1. A reference is read at most once before anybody tries again, and over the whole round, all
//    retries counted in, but for what is ProvenUnprocessed, and (retries only) GivenBack. At most
//    one session is ever made.
// 2. The answer is true: OK with the one session; NOT_SENT and REJECTED, and none was made, except
//    by a retry that says so; UNAVAILABLE only with NOT_SENT and retry_safe; UNKNOWN never
//    retry_safe. Every error and every trailer carries the request_id. A caller that waits gets a
//    word of the gateway, unless the gateway was killed.
// 3. OutcomeService says the same: what was OK is EXECUTED, what was REJECTED REJECTED (or NOT_SENT
//    where it was given back). Where a session was made and CanSettle: EXECUTED with that session;
//    where none was made: never EXECUTED. Get and List agree.
// 4. The same call again: EXECUTED is replayed; NOT_SENT is sent, once (or BrokeAgain); REJECTED
// and UNKNOWN come
//    again and nothing is read. With another amount: REQUEST_ID_REUSED that names order_amount,
//    and nothing is read.
// 5. The session has one CREATED (none where a later webhook was the first that the gateway heard)
//    and one terminal event; those after the create was settled carry its request_id, and CREATED
//    too, unless its webhook overtook the answer to a create that has no word.
//    WatchSession by request_id ends with it. Callers see merchant_data and merchant_reference2 as
//    they sent them, and the gateway's word goes into a field that they left empty or nowhere.
std::vector<std::string> JudgeRound(const RoundRecord& record);

// Parts of it.
void JudgeReads(const RoundRecord& record, std::vector<std::string>* wrong);
void JudgeAnswers(const RoundRecord& record, std::vector<std::string>* wrong);
void JudgeOutcomes(const RoundRecord& record, std::vector<std::string>* wrong);
void JudgeRetries(const RoundRecord& record, std::vector<std::string>* wrong);
void JudgeSession(const RoundRecord& record, std::vector<std::string>* wrong);

}  // namespace ipp::faults
