#pragma once

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

// Content codings of answers (RFC 9110, 8.4). Pure.
namespace ipp::http {

enum class Decoded {
  kWhole,
  kUnknownOrBroken,  // a coding that is not known, or bytes that are not in it
  kTooLarge,         // more than `max_bytes` after decoding
};

// Takes the codings that a Content-Encoding header names ("gzip", "deflate, gzip") off `*body`:
// gzip, x-gzip, deflate (with zlib's header or without) and identity are known. Unless the result
// is kWhole, `*body` is empty afterwards. An empty body is whole whatever the header says.
Decoded DecodeBody(absl::string_view codings, size_t max_bytes, std::string* body);

// The text for a person about a body that could not be decoded.
std::string CodingTrouble(absl::string_view codings);

}  // namespace ipp::http
