#pragma once

#include <string>

#include "kustom/ipp/v1/session.pb.h"

namespace ipp::upstream {

// The upstream has no idempotency keys, and its list of sessions cannot be read. A create therefore
// carries a marker in a field that the upstream stores and returns: a later read of the session
// shows which create made it. The marker is the create's request_id behind a prefix; callers never
// see it.

// The prefix of the marker. Callers must not begin a field with it (rpc/validate.cc).
inline constexpr char kCorrelationPrefix[] = "ipp-gateway:";

// The field that carries the marker.
enum class CorrelationField {
  kFirstEmpty,  // merchant_data, or merchant_reference2 if the caller uses merchant_data
  kMerchantData,
  kMerchantReference2,
  kNone,
};

// Sets the field to the marker, unless the caller uses the field. True if it was set.
bool AddCorrelation(const std::string& request_id, CorrelationField field,
                    kustom::ipp::v1::CreateSessionRequest* request);

// The request_id in the session's marker; clears the field, so that it is as the caller left it.
// Empty if the session has no marker.
std::string TakeCorrelation(kustom::ipp::v1::Session* session);

}  // namespace ipp::upstream
