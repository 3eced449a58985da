#pragma once

#include <string>

#include "absl/status/status.h"
#include "kustom/ipp/v1/session.pb.h"
#include "server/store/intent.h"

// What the ledger needs to know of the request behind a create, whose type it keeps by name only.
// Pure.
namespace ipp::creates {

// Whether `request` (serialized deterministically, without its request_id) is the one that `known`
// was written down for. A tombstone has a digest to compare with. Identifiers may differ in letter
// case: releases before 0.2 kept requests as they came.
bool IsSameRequest(const store::IntentRecord& known, const std::string& request);

// Whether `session` may be the one that the create made: device, amount and currency agree, as far
// as the session tells them. A session that carries the mark of a create need not be its own: the
// mark may have been copied, by a caller or from another installation.
bool MayHaveMade(const store::IntentRecord& create, const kustom::ipp::v1::Session& session);

// The upstream's refusal of a create that is kRejected; of a tombstone, that there was one.
absl::Status RefusalOf(const store::IntentRecord& create);

// The answer to a CreateSession that made this session, serialized.
std::string AnswerOf(const kustom::ipp::v1::Session& session);

}  // namespace ipp::creates
