#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"

namespace ipp::rpc {

// Opaque page tokens (AIP-158): a number, bound to the request that it continues. `request` is a
// list request with a `page_token` field; all its other fields and `scope` (whose list it is) must
// be the same on the next page.
std::string EncodePageToken(const google::protobuf::Message& request, absl::string_view scope,
                            int64_t number);

// 0 for an empty token; never more than `largest`. INVALID_ARGUMENT on `page_token` for one that is
// malformed or of another list.
absl::StatusOr<int64_t> DecodePageToken(const google::protobuf::Message& request,
                                        absl::string_view scope, int64_t largest);

}  // namespace ipp::rpc
