#pragma once

#include <string>

#include "kustom/ipp/v1/session.pb.h"
#include "kustom/ipp/v1/session_event.pb.h"

// The life of a session, written down once more: a test that borrowed the gateway's own table would
// share its mistakes.
namespace ipp::faults {

bool IsFinal(kustom::ipp::v1::SessionStatus status);
bool IsTerminal(kustom::ipp::v1::SessionEventType type);
// Not a step: tells the whole of a session of which an earlier event could tell little.
bool IsDetails(kustom::ipp::v1::SessionEventType type);
// How far a session is after it; 0 for a failed payment and for what is unknown.
int RankOf(kustom::ipp::v1::SessionEventType type);
kustom::ipp::v1::SessionStatus StatusAfter(kustom::ipp::v1::SessionEventType type);

// "CREATED": the upstream's word. UNSPECIFIED when there is no such status.
kustom::ipp::v1::SessionStatus StatusOf(const std::string& word);
// "ipp.session.created": the webhook's type.
kustom::ipp::v1::SessionEventType TypeOf(const std::string& webhook_type);
// "FINALIZED", without the prefix.
std::string Name(kustom::ipp::v1::SessionEventType type);
std::string Name(kustom::ipp::v1::SessionStatus status);

}  // namespace ipp::faults
