#pragma once

#include <memory>
#include <string>

#include "absl/strings/string_view.h"

namespace ipp::webhook {

// A key of HMAC-SHA256. What depends on the key alone is computed once, which is more than half of
// the work for a message of some hundred bytes. Thread-safe; copies share the prepared key.
class MacKey {
 public:
  // Implicit: a key is written as the text that it is.
  MacKey(absl::string_view key);                                      // NOLINT
  MacKey(const std::string& key) : MacKey(absl::string_view(key)) {}  // NOLINT
  MacKey(const char* key) : MacKey(absl::string_view(key)) {}         // NOLINT

  // 32 bytes; empty, which equals no signature, if OpenSSL fails.
  std::string Sign(absl::string_view message) const;

 private:
  struct Prepared;
  std::shared_ptr<Prepared> prepared_;  // shared by copies
};

}  // namespace ipp::webhook
