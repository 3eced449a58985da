#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "kustom/ipp/v1/session.pb.h"
#include "kustom/ipp/v1/session_event.pb.h"
#include "server/store/store.h"

namespace ipp::sessions {

// Something that the gateway heard of a session. Either a webhook (thin: what happened) or a whole
// session as the upstream answered it (a read, or the answer to a create or a cancel).
struct News {
  kustom::ipp::v1::SessionEventSource source = kustom::ipp::v1::SESSION_EVENT_SOURCE_UNSPECIFIED;
  std::string merchant_id;
  std::string session_id;
  absl::Time heard_at;  // now

  // A webhook.
  std::string event_id;       // `kevt_…`
  std::string upstream_type;  // as sent
  kustom::ipp::v1::SessionEventType type = kustom::ipp::v1::SESSION_EVENT_TYPE_UNSPECIFIED;
  std::string order_id;
  std::string failure_reason;
  absl::Time occurred_at;

  // A whole session; `type` and the like are empty then.
  std::optional<kustom::ipp::v1::Session> session;
  std::string request_id;  // of the create that this answers; empty otherwise
  TraceContext trace;      // of that create, when it is known
  // It is the answer to that create itself. Otherwise the session carries the create's mark, and
  // whether it is the create's is still to be seen.
  bool answers_create = false;
  // A webhook, and a create is under way that may be the one that made this session, should nobody
  // know it: its answer, or a read, shall make the event whole before it is told.
  bool hold = false;
  // A caller read it, nobody did anything: of a session that we do not know and that has ended it
  // is no news. We may have told its end long ago and forgotten it since.
  bool overheard = false;
};

// What the news did to what we knew.
enum class Verdict {
  kAdvanced,   // the session moved on
  kAttempt,    // a payment failed, the session stays where it is
  kRecorded,   // an event that moves nothing (a type that we do not know)
  kHeld,       // a step that will be told when we know more of the session
  kCompleted,  // no step, but we know more of the session now
  kRepeated,   // told before
  kLate,       // a step that was passed already
  kDisagrees,  // another final status than the one recorded: a read must settle it
  kCorrected,  // that read proved the other one
};

// How long after news a session shall be read.
struct CheckTimes {
  absl::Duration held = absl::Milliseconds(200);  // one with an event that is held
  absl::Duration first = absl::Seconds(30);       // one that is open
  absl::Duration complete = absl::Seconds(1);     // one that we know from webhooks alone
  // How long reads may say that there is no such session before its record is ended: one that we
  // know from webhooks alone, and one that was read before.
  absl::Duration missing = absl::Minutes(10);
  absl::Duration missing_known = absl::Hours(24);
};

struct Step {
  Verdict verdict = Verdict::kRepeated;
  std::optional<store::SessionRecord> record;  // absent: nothing to write
  std::vector<store::NewEvent> events;
};

// The session state machine, one pure function: CREATED → ACTIVE → FINALIZED | CANCELLED | EXPIRED
// | FAILED. Monotonic: a step back is absorbed. Every session has at most one terminal event. A
// step that was skipped makes no event of its own: an event tells only what was heard. `known` is
// absent for a session that was never heard of.
//
// * A session first heard of by webhook gets a thin record (id, status); a whole session completes
//   it, also when its status is behind by then. A whole session of an unknown status word
//   completes and moves nothing.
// * A failed payment is an event and leaves the status, CREATED too: only news that says ACTIVE
//   makes it ACTIVE. After a final status it is late.
// * A webhook of a type that we do not know is an event and moves nothing: a read shall tell what
// it
//   means, so the session is due at once, with a record without a status where there was none.
// * Two final statuses that disagree: the first stays, and the session is due to be read at once.
//   What the reconciling read says then is the truth; where it is the other status, the record
//   takes it and a CORRECTED event, which is not a terminal one, tells of it.
// * When the record learns what the events told so far had to leave out (the whole session, the
//   create's request_id, or the order_id of a session that went out as FINALIZED), and the news
//   makes no event that carries it, a DETAILS event does. It is no step. A webhook that says
//   FINALIZED without an order_id makes the session due for a read, which may know it.
// * Ids of CORRECTED and DETAILS end with the record's `revision`, so no two of a session
//   are equal.
// * An event of a webhook keeps the upstream's id, word and time. One that a whole session proves
//   has an id made of merchant, session and type, the same whenever it is computed again, and
//   occurred when it was heard; FINALIZED at `purchase_completed_at` where the session tells it.
// * The event carries the session as it is after it.
// * A CREATED that is held is kept in the record. It is told with the next step, before that step,
//   or when the whole session is heard of, or by Release.
Step Advance(const std::optional<store::SessionRecord>& known, const News& news,
             const CheckTimes& times = {});

// A read was answered that there is no such session. Notes since when that is so. After
// `times.missing` (a session that was read before: `times.missing_known`) and some reads the
// session ends: its terminal event is FAILED with the failure_reason "not_found_upstream", and it
// is not read again. A record that has ended is only not read again.
Step Miss(const store::SessionRecord& known, absl::Time now, const CheckTimes& times = {});

// Tells what is held, thin as it is.
Step Release(const store::SessionRecord& known, absl::Time now, const CheckTimes& times = {});

// CREATED, ACTIVE …: the status that an event type leads to; UNSPECIFIED for the others.
kustom::ipp::v1::SessionStatus StatusAfter(kustom::ipp::v1::SessionEventType type);
// The event type that tells of a status.
kustom::ipp::v1::SessionEventType EventFor(kustom::ipp::v1::SessionStatus status);
bool IsFinal(kustom::ipp::v1::SessionStatus status);

// "ipp.session.finalized" (in any letter case, also without "ipp.", as older pages write) →
// FINALIZED; UNSPECIFIED for unknown words.
kustom::ipp::v1::SessionEventType TypeFromUpstream(absl::string_view upstream_type);

}  // namespace ipp::sessions
