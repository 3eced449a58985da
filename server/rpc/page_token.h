#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"

namespace ipp::rpc {

// Opaque page tokens (AIP-158). A token holds a number and is bound to the list request that it
// continues. `request` is a list request with a `page_token` field; all its other fields and
// `scope` (the owner of the list) must be the same for the next page. `more`: further data that
// belongs to the number; if it is 0, the token omits it.
std::string EncodePageToken(const google::protobuf::Message& request, absl::string_view scope,
                            int64_t number, uint64_t more = 0);

// The number in the request's token: 0 for an empty token, never more than `largest`.
// INVALID_ARGUMENT on `page_token` if the token is malformed, belongs to another list, or carries
// further data although `more` is null.
absl::StatusOr<int64_t> DecodePageToken(const google::protobuf::Message& request,
                                        absl::string_view scope, int64_t largest,
                                        uint64_t* more = nullptr);

// The same for a list whose place is a key of bytes.
std::string EncodePageKey(const google::protobuf::Message& request, absl::string_view scope,
                          absl::string_view key);
// Empty for an empty token.
absl::StatusOr<std::string> DecodePageKey(const google::protobuf::Message& request,
                                          absl::string_view scope);

}  // namespace ipp::rpc
