#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "tests/faults/history.h"

namespace ipp::faults {

// What contradicts the promise. `missing` may still come; `wrong` never heals.
struct Verdict {
  std::vector<std::string> missing;
  std::vector<std::string> wrong;

  bool good() const { return missing.empty() && wrong.empty(); }
};

// Holds a history against the promise: every session that the gateway knows ends in exactly one
// terminal event, in one order, for every subscriber.
//
// The gateway knows a session that it showed in an OK answer, of which it answered a webhook with
// 200, or of which any observer saw an event. It cannot know one whose create was cut and whose
// webhooks were all lost; such sessions are in the truth only, and nothing is asked of them.
//
// * Each session that is known and final in the truth has exactly one terminal event, the true one,
//   with the true order; nothing follows it. A DETAILS event may tell the order instead.
// * An event is a step that was taken; a session goes forwards only; a step has one event, but
//   for failed payments; event ids and cursors are unique.
// * A webhook that was taken is in the log under its id, or something that may have come before it
//   had announced its step, or a later one.
// * An event of source WEBHOOK is one that the upstream has sent. An end that no webhook announced
// was
//   read (RECONCILIATION), or came with an answer to somebody who asked (API).
// * An observer with a filter saw exactly what of the first one's events matches, byte by byte, in
//   the same order.
// * A watch shows states that go forwards, ends with OK after the final one, and that is the true
//   one.
// * One create makes at most one session, one that was denied none, one that was answered OK the
//   one in the answer; its events name the request.
Verdict Judge(const History& history);

// Parts of it.
void JudgeLog(const Truth& truth, const Ledger& ledger, const Observation& reference, Verdict* out);
void JudgeObserver(const Observation& reference, const Observation& observer, Verdict* out);
void JudgeWatch(const Truth& truth, const WatchObservation& watch, Verdict* out);
void JudgeCreates(const Truth& truth, const Ledger& ledger, Verdict* out);

// Counts that keep a verdict from being good for want of anything to judge.
struct Tally {
  int sessions = 0;    // in the truth
  int ended = 0;       // known and final
  int unknown = 0;     // nothing asked of them: the gateway cannot know them
  int events = 0;      // in the log
  int reconciled = 0;  // events of source RECONCILIATION
};
Tally Count(const History& history);

}  // namespace ipp::faults
