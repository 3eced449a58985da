#include "server/creates/reservation.h"

#include <optional>
#include <utility>

#include "kustom/ipp/v1/session.pb.h"
#include "server/base/error.h"
#include "server/base/stored_message.h"
#include "server/creates/create_request.h"

namespace ipp::creates {
namespace {

using store::IntentRecord;
using store::IntentState;

// Handles a create that the ledger does not have, although a session with its request_id exists.
Reservation KnownBySession(IntentRecord fresh, const kustom::ipp::v1::Session& session) {
  if (!MayHaveMade(fresh, session)) {
    // Rebuild the earlier request from the session, so that the error can name what differs.
    auto request = FromStored<kustom::ipp::v1::CreateSessionRequest>(fresh.request);
    request.set_device_id(session.device_id());
    request.set_order_amount(session.order_amount());
    request.set_purchase_currency(session.purchase_currency());
    fresh.request = request.SerializeAsString();
    fresh.state = IntentState::kExecuted;
    fresh.session_id = session.session_id();
    return {Reservation::kDiffers, std::move(fresh)};
  }
  fresh.state = IntentState::kExecuted;
  fresh.session_id = session.session_id();
  fresh.answer = AnswerOf(session);
  return {Reservation::kReplay, std::move(fresh)};
}

// The answer was trimmed, but the outcome is known: rebuilds an answer from that.
void AnswerForTombstone(const std::optional<store::SessionRecord>& created, IntentRecord* known) {
  if (known->state == IntentState::kRejected) {
    known->answer = SerializeError(RefusalOf(*known));
  } else if (known->state == IntentState::kExecuted && !known->session_id.empty()) {
    kustom::ipp::v1::Session session;
    session.set_session_id(known->session_id);
    if (created && created->session.session_id() == known->session_id) session = created->session;
    known->answer = AnswerOf(std::move(session));
  }
}

}  // namespace

bool IsSettled(IntentState state) {
  return state == IntentState::kExecuted || state == IntentState::kRejected;
}

Reservation OfSettledIntent(IntentRecord known) {
  const Reservation::What what =
      known.state == IntentState::kExecuted ? Reservation::kReplay : Reservation::kRefuse;
  return {what, std::move(known)};
}

store::Writes DecideReservation(const IntentRecord& fresh, const store::Snapshot& snapshot) {
  const std::optional<IntentRecord>& known = snapshot.intent;
  if (!known && snapshot.created) {
    // The ledger has lost the create, for example after a restore; its session answers it.
    Reservation reservation = KnownBySession(fresh, snapshot.created->session);
    if (reservation.what != Reservation::kReplay) return {.decided = std::move(reservation)};
    IntentRecord kept = reservation.known;
    return {.intent = std::move(kept), .decided = std::move(reservation)};
  }
  if (known && (known->rpc != fresh.rpc || !IsSameRequest(*known, fresh.request))) {
    return {.decided = Reservation{Reservation::kDiffers, *known}};
  }
  if (known && known->state == IntentState::kUnderWay && known->owner == fresh.owner) {
    return {.decided = Reservation{Reservation::kSend, *known}};
  }
  if (known && known->state != IntentState::kNotSent) {
    Reservation reservation = IsSettled(known->state)
                                  ? OfSettledIntent(*known)
                                  : Reservation{Reservation::kUnsettled, *known};
    if (known->trimmed) AnswerForTombstone(snapshot.created, &reservation.known);
    return {.decided = std::move(reservation)};
  }
  Reservation reservation{Reservation::kSend, fresh};
  if (known) reservation.known.created_at = known->created_at;
  IntentRecord written = reservation.known;
  return {.intent = std::move(written), .decided = std::move(reservation)};
}

}  // namespace ipp::creates
