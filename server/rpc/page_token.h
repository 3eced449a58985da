#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"

namespace ipp::rpc {

// Opaque page tokens (AIP-158): a number, bound to the request that it continues. `request` is a
// list request with a `page_token` field; all its other fields and `scope` (whose list it is) must
// be the same on the next page. `more`: what else belongs to the number; where it is 0 the token is
// one without it.
std::string EncodePageToken(const google::protobuf::Message& request, absl::string_view scope,
                            int64_t number, uint64_t more = 0);

// 0 for an empty token; never more than `largest`. INVALID_ARGUMENT on `page_token` for one that is
// malformed or of another list, or carries more than a number when no `more` is taken.
absl::StatusOr<int64_t> DecodePageToken(const google::protobuf::Message& request,
                                        absl::string_view scope, int64_t largest,
                                        uint64_t* more = nullptr);

}  // namespace ipp::rpc
