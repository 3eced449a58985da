#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ipp::simulator {

// Signs as Standard Webhooks prescribes: HMAC-SHA256 over "<id>.<timestamp>.<body>", one
// "v1,<base64>" entry a secret, separated by blanks.
class WebhookSigner {
 public:
  // Takes one more secret of the form whsec_<base64>; false, and nothing is taken, for anything
  // else.
  bool AddSecret(std::string_view secret);

  bool empty() const { return keys_.empty(); }
  std::string Sign(std::string_view webhook_id, int64_t unix_seconds, std::string_view body) const;

 private:
  std::vector<std::string> keys_;
};

}  // namespace ipp::simulator
