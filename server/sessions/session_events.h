#pragma once

#include "kustom/ipp/v1/session_event.pb.h"
#include "server/sessions/session_state.h"
#include "server/store/store.h"

// The events that the state machine makes: what they carry, and their ids.
namespace ipp::sessions {

// An event of a webhook: the upstream's id, word and time.
kustom::ipp::v1::SessionEvent WebhookEvent(const SessionUpdate& news);

// The step to the status of `record`, proven by a read. A session takes a step once, so its id is
// made of merchant, session and type, the same whenever it is computed again.
kustom::ipp::v1::SessionEvent ProvenEvent(const SessionUpdate& news,
                                          const store::SessionRecord& record);

// An event beside the steps, of which a session may have several. Counts `record.revision` up; the
// id ends with it.
kustom::ipp::v1::SessionEvent RevisionEvent(const SessionUpdate& news,
                                            kustom::ipp::v1::SessionEventType type,
                                            store::SessionRecord& record);

// Adds the create that made the session.
void NameCreate(const store::SessionRecord& record, kustom::ipp::v1::SessionEvent* event);

// Adds all that the record knows.
store::NewEvent Tell(kustom::ipp::v1::SessionEvent event, const store::SessionRecord& record);

// The held event of `known`, with what `record` knows; the session as it was at that step.
store::NewEvent TellHeld(const store::SessionRecord& known, const store::SessionRecord& record);

}  // namespace ipp::sessions
