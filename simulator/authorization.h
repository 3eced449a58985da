#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

#include "simulator/world.h"

namespace ipp::simulator {

enum class AuthorizationForm {
  kNone,    // no Authorization header
  kKey,     // Basic <API key>
  kBasic,   // Basic base64(<user>:<API key>)
  kRefused  // anything else
};

std::string_view Name(AuthorizationForm form);

// Finds the merchant of an Authorization header.
class Authorizer {
 public:
  void AddKey(const std::string& key, Merchant& merchant) { keys_[key] = &merchant; }

  // Null unless the header holds a known key in one of the two forms. In the second the user name
  // must begin with the key's merchant id and a dash, or be empty.
  Merchant* Check(std::string_view header, AuthorizationForm* form) const;

 private:
  Merchant* Find(std::string_view key) const;

  // Transparent, so that a lookup on every request needs no copy.
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  std::unordered_map<std::string, Merchant*, Hash, std::equal_to<>> keys_;
};

}  // namespace ipp::simulator
