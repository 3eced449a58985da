#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/webhook/mac_key.h"

// The Standard Webhooks signature: HMAC-SHA256 over "<webhook-id>.<webhook-timestamp>.<raw body>".
// Pure.
namespace ipp::webhook {

// Decodes the key in "whsec_<base64>". INVALID_ARGUMENT, without the value in the message.
absl::StatusOr<std::string> DecodeSecret(absl::string_view secret);

// The `v1,<base64>` signature of a message; `key` as DecodeSecret returns it.
std::string Sign(absl::string_view key, absl::string_view id, absl::string_view timestamp,
                 absl::string_view body);

struct SignedHeaders {
  absl::string_view id;         // webhook-id
  absl::string_view timestamp;  // webhook-timestamp, unix seconds
  absl::string_view signature;  // webhook-signature: `v1,<base64>` entries separated by spaces
};

// The positions in `keys` of those that made one of the v1 signatures (compared in constant time);
// at least one. UNAUTHENTICATED if there is none, or if the timestamp is not within `tolerance` of
// `now` in either direction: the message says which check failed, and nothing about a key.
absl::StatusOr<std::vector<size_t>> FindSigners(const SignedHeaders& headers,
                                                absl::string_view body,
                                                const std::vector<const MacKey*>& keys,
                                                absl::Time now, absl::Duration tolerance);

// OK if FindSigners finds a key; otherwise its error.
absl::Status Verify(const SignedHeaders& headers, absl::string_view body,
                    const std::vector<std::string>& keys, absl::Time now, absl::Duration tolerance);

}  // namespace ipp::webhook
