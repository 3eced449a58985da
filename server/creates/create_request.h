#pragma once

#include <string>

#include "absl/status/status.h"
#include "kustom/ipp/v1/session.pb.h"
#include "server/store/intent.h"

// What the ledger needs to know of the request behind a create; it stores only the name of its
// type. Pure functions.
namespace ipp::creates {

// Whether `request` (a Fingerprint()) is the request that `known` was reserved for. For a tombstone
// the digests are compared. Letter case in identifiers is ignored: releases before 0.2 stored
// requests as they were received.
bool IsSameRequest(const store::IntentRecord& known, const std::string& request);

// Whether `session` may have been made by `create`: device, amount and currency agree, as far as
// the session has them. A session that carries the mark of a create need not belong to it: a
// caller, or another installation, may have copied the mark.
bool MayHaveMade(const store::IntentRecord& create, const kustom::ipp::v1::Session& session);

// The location and the phone that the request named; empty where it named none, for another rpc,
// and for a tombstone.
struct CreatePlace {
  std::string location_id;
  std::string device_id;
};
CreatePlace PlaceOf(const store::IntentRecord& create);

// The upstream's refusal of a create that is kRejected; for a tombstone, a general error that says
// so.
absl::Status RefusalOf(const store::IntentRecord& create);

// The serialized answer to a CreateSession that made this session.
std::string AnswerOf(kustom::ipp::v1::Session session);

}  // namespace ipp::creates
