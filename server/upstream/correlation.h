#pragma once

#include <string>

#include "kustom/ipp/v1/session.pb.h"

namespace ipp::upstream {

// The upstream has no idempotency keys, and its list of sessions cannot be read. So a create takes
// a word along in a field that the upstream keeps and gives back: whoever reads the session later
// sees which create made it. The word is the request's id behind a prefix; callers never see it.

// What the word begins with. Callers must not use it at the front of a field (rpc/validate.cc).
inline constexpr char kCorrelationPrefix[] = "ipp-gateway:";

// Where the word goes.
enum class CorrelationField {
  kFirstEmpty,  // merchant_data, or merchant_reference2 when the caller uses that one
  kMerchantData,
  kMerchantReference2,
  kNone,
};

// Puts the word into the field, unless the caller uses it. True when it was put.
bool AddCorrelation(const std::string& request_id, CorrelationField field,
                    kustom::ipp::v1::CreateSessionRequest* request);

// The request_id whose word the session carries, and the field empty again, as the caller left it.
// Empty when it carries none.
std::string TakeCorrelation(kustom::ipp::v1::Session* session);

}  // namespace ipp::upstream
