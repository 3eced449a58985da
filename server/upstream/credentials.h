#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/base/clock.h"
#include "server/base/secret_file.h"

namespace ipp::upstream {

// The gateway's API keys for the upstream, one per merchant. Thread-safe after set-up.
class Credentials {
 public:
  // Reads the key's file now, and again whenever it changes. If `username` is empty, only the key
  // is sent.
  absl::Status Add(std::string merchant_id, std::string username, std::string key_file,
                   Clock* clock);

  struct Key {
    std::string
        authorization;  // the header's value: `Basic <key>`, or `Basic base64(username:key)`
    // Every form in which the key is sent, so that it can be removed from text that the upstream
    // echoes.
    std::vector<std::string> secrets;
  };
  // NOT_FOUND for a merchant that is not configured.
  absl::StatusOr<Key> Find(absl::string_view merchant_id) const;

 private:
  struct Entry {
    std::string username;
    std::unique_ptr<SecretFile> key;
  };
  std::map<std::string, Entry> entries_;
};

}  // namespace ipp::upstream
