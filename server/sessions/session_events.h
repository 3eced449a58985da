#pragma once

#include "kustom/ipp/v1/session_event.pb.h"
#include "server/sessions/session_state.h"
#include "server/store/store.h"

// Builds the events of the state machine: their content and their ids. Pure functions.
namespace ipp::sessions {

// The event of a webhook, with the upstream's id, type and time.
kustom::ipp::v1::SessionEvent WebhookEvent(const SessionUpdate& update);

// The event for the step to the status of `record`, proven by a read. A session takes each step
// once, so the id is made of merchant, session and type, and is the same whenever it is computed
// again.
kustom::ipp::v1::SessionEvent ProvenEvent(const SessionUpdate& update,
                                          const store::SessionRecord& record);

// An event that is not a step (DETAILS, CORRECTED); a session may have several. Increments
// `record.revision`, with which the id ends.
kustom::ipp::v1::SessionEvent RevisionEvent(const SessionUpdate& update,
                                            kustom::ipp::v1::SessionEventType type,
                                            store::SessionRecord& record);

// Adds the request_id of the create that made the session.
void NameCreate(const store::SessionRecord& record, kustom::ipp::v1::SessionEvent* event);

// Completes `event` with the session and the create of `record`.
store::NewEvent Tell(kustom::ipp::v1::SessionEvent event, const store::SessionRecord& record);

// The held event of `known`, completed from `record`; it shows the session as it was at that step.
store::NewEvent TellHeld(const store::SessionRecord& known, const store::SessionRecord& record);

}  // namespace ipp::sessions
