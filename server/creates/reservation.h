#pragma once

#include "server/store/store.h"

// What the ledger decides about a create that a caller asks for. Pure functions.
namespace ipp::creates {

// What to do with a create.
struct Reservation {
  enum What {
    kSend,      // it is reserved for this call: send it, then Complete it with its outcome
    kReplay,    // it was executed: `known.answer` is the serialized response
    kRefuse,    // the upstream refused it: `known.answer` is the serialized google.rpc.Status
    kDiffers,   // the id belongs to another request: `known.request`
    kUnsettled  // its outcome was still unknown at the deadline
  } what = kSend;
  store::IntentRecord known;
};

// Whether the outcome is known for good.
bool IsSettled(store::IntentState state);

// The reservation that answers with a settled intent: kReplay or kRefuse.
Reservation OfSettledIntent(store::IntentRecord known);

// Decides what to do with a create, inside the transaction that reserves it. `fresh` is the intent
// that is written when the create may be sent. The result's `decided` is a Reservation.
store::Writes DecideReservation(const store::IntentRecord& fresh, const store::Snapshot& snapshot);

}  // namespace ipp::creates
