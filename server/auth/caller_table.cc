#include "server/auth/caller_table.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "server/base/edit_distance.h"
#include "server/base/error.h"
#include "server/base/secret_file.h"
#include "server/base/status_macros.h"

namespace ipp::auth {
namespace {

constexpr char kScheme[] = "bearer";
constexpr size_t kHexLength = 2 * SHA256_DIGEST_LENGTH;

// Every refusal here happens before anything is sent upstream, so the outcome is NOT_SENT.
absl::Status Refuse(absl::StatusCode code, std::string reason, absl::string_view message,
                    std::map<std::string, std::string> more = {}) {
  more.emplace("outcome", OutcomeName(Outcome::kNotSent));
  more.emplace("retry_safe", "true");
  return MakeError(code, message, {.reason = std::move(reason), .metadata = std::move(more)});
}

absl::Status InvalidConfig(FieldViolation violation) {
  return MakeError(absl::StatusCode::kInvalidArgument,
                   absl::StrCat(violation.field, ": ", violation.description),
                   {.reason = "INVALID_CONFIG", .violations = {violation}});
}

absl::Status MerchantNotAllowed(const Caller& caller) {
  return Refuse(absl::StatusCode::kPermissionDenied, "MERCHANT_NOT_ALLOWED",
                "the merchant is not one of this caller's", {{"caller", caller.name}});
}

absl::Status Unknown(std::string reason, absl::string_view message) {
  return Refuse(absl::StatusCode::kUnauthenticated, std::move(reason), message);
}

// Whether the granted permission, which may be "*" or a pattern such as "sessions.*", includes
// `permission`.
bool Grants(absl::string_view granted, absl::string_view permission) {
  if (granted == permission || granted == "*") return true;
  return absl::ConsumeSuffix(&granted, ".*") && absl::ConsumePrefix(&permission, granted) &&
         absl::StartsWith(permission, ".");
}

// The token of "Bearer <token>"; empty if the text is not of that form. The scheme is not
// case-sensitive (RFC 9110, section 11.1).
absl::string_view BearerToken(absl::string_view authorization) {
  authorization = absl::StripAsciiWhitespace(authorization);
  const size_t space = authorization.find(' ');
  if (space == absl::string_view::npos ||
      !absl::EqualsIgnoreCase(authorization.substr(0, space), kScheme)) {
    return {};
  }
  return absl::StripLeadingAsciiWhitespace(authorization.substr(space));
}

std::string Sha256Hex(absl::string_view text) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  return absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(digest), sizeof(digest)));
}

bool SameDigest(const std::string& ours, absl::string_view configured) {
  const std::string theirs = absl::AsciiStrToLower(configured);
  return theirs.size() == kHexLength && CRYPTO_memcmp(ours.data(), theirs.data(), kHexLength) == 0;
}

// Says what a caller was given, and what there is.
std::string UnknownPermission(const CallerEntry& entry, const std::string& given,
                              const std::vector<std::string>& known) {
  std::set<std::string> valid(known.begin(), known.end());
  for (const std::string& permission : known) {
    valid.insert(absl::StrCat(permission.substr(0, permission.find('.')), ".*"));
  }
  valid.insert("*");
  std::string meant;
  // A word that is further away than this is not a misspelling.
  size_t best = given.size() / 3 + 1;
  for (const std::string& permission : valid) {
    if (const size_t distance = EditDistance(given, permission); distance < best) {
      best = distance;
      meant = absl::StrCat(" (did you mean ", permission, "?)");
    }
  }
  return absl::StrCat(entry.name, " is given ", given, ", which no call needs", meant,
                      "; there are ", absl::StrJoin(valid, ", "));
}

}  // namespace

absl::StatusOr<std::unique_ptr<CallerTable>> CallerTable::Create(
    std::vector<CallerEntry> entries, std::vector<std::string> merchants,
    const std::vector<std::string>& known_permissions, Proof proof) {
  std::sort(merchants.begin(), merchants.end());
  for (size_t i = 0; i < entries.size(); ++i) {
    CallerEntry& entry = entries[i];
    const std::string path = absl::StrCat("callers[", i, "].");
    for (size_t m = 0; m < entry.merchants.size(); ++m) {
      if (!std::binary_search(merchants.begin(), merchants.end(), entry.merchants[m])) {
        return InvalidConfig(
            {absl::StrCat(path, "merchants[", m, "]"),
             absl::StrCat(entry.name, " names a merchant that is not configured")});
      }
    }
    for (size_t p = 0; p < entry.permissions.size(); ++p) {
      const bool known = std::any_of(
          known_permissions.begin(), known_permissions.end(),
          [&](const std::string& permission) { return Grants(entry.permissions[p], permission); });
      if (!known) {
        return InvalidConfig({absl::StrCat(path, "permissions[", p, "]"),
                              UnknownPermission(entry, entry.permissions[p], known_permissions)});
      }
    }
    std::sort(entry.merchants.begin(), entry.merchants.end());
  }
  std::unique_ptr<CallerTable> table(new CallerTable());
  table->proof_ = proof;
  for (const CallerEntry& entry : entries) {
    table->uses_.push_back(std::make_unique<CallerUse>(entry.limits));
  }
  table->entries_ = std::move(entries);
  table->merchants_ = std::move(merchants);
  return table;
}

// Returns nullptr if the call carries no token.
absl::StatusOr<const CallerEntry*> CallerTable::ByToken(absl::string_view authorization) const {
  const absl::string_view token = BearerToken(authorization);
  if (token.empty()) return nullptr;
  const std::string digest = Sha256Hex(token);
  const CallerEntry* match = nullptr;
  // Always compares with every entry, so that the time taken does not reveal which caller matched.
  for (const CallerEntry& entry : entries_) {
    if (!entry.token_sha256) continue;
    const auto digests = entry.token_sha256();
    for (const std::string& configured : *digests) {
      if (SameDigest(digest, configured) && match == nullptr) match = &entry;
    }
  }
  if (match == nullptr) return Unknown("TOKEN_UNKNOWN", "the token is not known");
  return match;
}

// Returns nullptr if the certificate names no caller. A certificate that names two callers is
// refused.
absl::StatusOr<const CallerEntry*> CallerTable::ByCertificate(
    const std::vector<std::string>& names) const {
  const CallerEntry* match = nullptr;
  for (const CallerEntry& entry : entries_) {
    const auto& mine = entry.certificate_names;
    if (std::find_first_of(mine.begin(), mine.end(), names.begin(), names.end()) == mine.end()) {
      continue;
    }
    if (match != nullptr) {
      return Unknown("CALLERS_DIFFER", "the client certificate names more than one caller");
    }
    match = &entry;
  }
  return match;
}

absl::StatusOr<const CallerEntry*> CallerTable::Find(const Evidence& evidence) const {
  IPP_ASSIGN_OR_RETURN(const CallerEntry* by_token, ByToken(evidence.authorization));
  IPP_ASSIGN_OR_RETURN(const CallerEntry* by_certificate,
                       ByCertificate(evidence.certificate_names));
  const bool both = proof_ == Proof::kBoth;
  if (by_token == nullptr && (both || evidence.certificate_names.empty())) {
    return Unknown("TOKEN_MISSING", "metadata 'authorization: Bearer <token>' is required");
  }
  if (by_certificate == nullptr && (both || by_token == nullptr)) {
    return evidence.certificate_names.empty()
               ? Unknown("CERTIFICATE_MISSING", "a client certificate is required")
               : Unknown("CERTIFICATE_UNKNOWN", "the client certificate names no caller");
  }
  if (by_token != nullptr && by_certificate != nullptr && by_token != by_certificate) {
    return Unknown("CALLERS_DIFFER", "token and client certificate are of different callers");
  }
  return by_token != nullptr ? by_token : by_certificate;
}

absl::StatusOr<Caller> CallerTable::Authorize(const Evidence& evidence,
                                              absl::string_view permission) const {
  if (open()) return Caller{.name = "anonymous", .merchants = merchants_};
  IPP_ASSIGN_OR_RETURN(const CallerEntry* match, Find(evidence));
  const bool granted =
      std::any_of(match->permissions.begin(), match->permissions.end(),
                  [&](const std::string& held) { return Grants(held, permission); });
  if (!granted) {
    return Refuse(absl::StatusCode::kPermissionDenied, "PERMISSION_MISSING",
                  absl::StrCat("caller ", match->name, " lacks the permission ", permission),
                  {{"permission", std::string(permission)}, {"caller", match->name}});
  }
  return Caller{.name = match->name,
                .merchants = match->merchants,
                .use = uses_[static_cast<size_t>(match - entries_.data())].get()};
}

std::string CertificateName(absl::string_view name) {
  return absl::StrContains(name, "://") ? std::string(name) : absl::AsciiStrToLower(name);
}

absl::Status ValidateTokenDigests(const std::vector<std::string>& lines) {
  for (size_t i = 0; i < lines.size(); ++i) {
    const bool hex =
        lines[i].size() == kHexLength && std::all_of(lines[i].begin(), lines[i].end(), [](char c) {
          return absl::ascii_isxdigit(static_cast<unsigned char>(c));
        });
    if (!hex) {
      const absl::Status text = CheckSecretText(lines[i]);
      return InvalidConfig(
          {absl::StrCat("line ", i + 1),
           absl::StrCat(text.message(), text.ok() ? "" : "; it ",
                        "must be the SHA-256 of a token, 64 hexadecimal digits and no more")});
    }
  }
  if (lines.empty()) return InvalidConfig({"line 1", "at least one digest is required"});
  return absl::OkStatus();
}

absl::StatusOr<std::string> ChooseMerchant(const Caller& caller, absl::string_view asked) {
  if (!asked.empty()) {
    if (!std::binary_search(caller.merchants.begin(), caller.merchants.end(), asked)) {
      return MerchantNotAllowed(caller);
    }
    return std::string(asked);
  }
  if (caller.merchants.size() == 1) return caller.merchants.front();
  return Refuse(absl::StatusCode::kInvalidArgument, "MERCHANT_REQUIRED",
                "metadata 'x-merchant-id' must say for which of the caller's merchants this is");
}

absl::StatusOr<std::vector<std::string>> NarrowMerchants(const Caller& caller,
                                                         const std::vector<std::string>& asked) {
  if (asked.empty()) return caller.merchants;
  std::vector<std::string> narrowed = asked;
  std::sort(narrowed.begin(), narrowed.end());
  narrowed.erase(std::unique(narrowed.begin(), narrowed.end()), narrowed.end());
  if (!std::includes(caller.merchants.begin(), caller.merchants.end(), narrowed.begin(),
                     narrowed.end())) {
    return MerchantNotAllowed(caller);
  }
  return narrowed;
}

}  // namespace ipp::auth
