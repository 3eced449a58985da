#include "simulator/authorization.h"

#include "simulator/base64.h"
#include "simulator/http.h"

namespace ipp::simulator {

std::string_view Name(AuthorizationForm form) {
  switch (form) {
    case AuthorizationForm::kNone:
      return "none";
    case AuthorizationForm::kKey:
      return "key";
    case AuthorizationForm::kBasic:
      return "basic";
    case AuthorizationForm::kRefused:
      return "refused";
  }
  return {};
}

Merchant* Authorizer::Find(std::string_view key) const {
  const auto found = keys_.find(key);
  return found == keys_.end() ? nullptr : found->second;
}

Merchant* Authorizer::Check(std::string_view header, AuthorizationForm* form) const {
  constexpr std::string_view kScheme = "Basic ";
  *form = header.empty() ? AuthorizationForm::kNone : AuthorizationForm::kRefused;
  if (!EqualsIgnoringCase(header.substr(0, kScheme.size()), kScheme)) return nullptr;
  header.remove_prefix(kScheme.size());
  if (Merchant* merchant = Find(header)) {
    *form = AuthorizationForm::kKey;
    return merchant;
  }
  const auto decoded = Base64Decode(header);
  if (!decoded) return nullptr;
  const std::string_view credentials = *decoded;
  const size_t colon = credentials.find(':');
  if (colon == std::string_view::npos) return nullptr;
  Merchant* merchant = Find(credentials.substr(colon + 1));
  if (merchant == nullptr) return nullptr;
  const std::string_view user = credentials.substr(0, colon);
  const std::string prefix = merchant->id + "-";
  const bool right_user = user.size() > prefix.size() && user.substr(0, prefix.size()) == prefix;
  if (!user.empty() && !right_user) return nullptr;
  *form = AuthorizationForm::kBasic;
  return merchant;
}

}  // namespace ipp::simulator
