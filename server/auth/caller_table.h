#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/auth/caller_use.h"

// Who calls, and what they may do. Denies by default.
namespace ipp::auth {

// A caller as configured.
struct CallerEntry {
  std::string name;
  // SHA-256 of the bearer tokens in hex, one each; what is not that matches nothing. Asked for on
  // each call, from any thread, since files are re-read.
  std::function<std::vector<std::string>()> token_sha256;
  // URI or DNS names of its client certificates (subjectAltName), as CertificateName makes them.
  std::vector<std::string> certificate_names = {};
  std::vector<std::string> merchants;    // ids; must be configured merchants
  std::vector<std::string> permissions;  // "sessions.write", "sessions.*", "*"
  CallerLimits limits = {};
};

// What a call shows of who makes it.
struct Evidence {
  // The value of that metadata key, "Bearer <token>"; empty when absent.
  absl::string_view authorization;
  // URI and DNS names of the client certificate, which the TLS layer has verified, as
  // CertificateName makes them; empty without.
  std::vector<std::string> certificate_names = {};
};

// What a caller must show.
enum class Proof {
  kAny,   // a token or a certificate; when both name a caller, the same one
  kBoth,  // a token and a certificate of the same caller
};

// What a call may do, as far as it was asked.
struct Caller {
  std::string name;
  std::vector<std::string> merchants;  // sorted
  CallerUse* use = nullptr;            // the table's; nullptr: without limits
};

class CallerTable {
 public:
  // With no entries everyone is the caller "anonymous" with every permission and all of
  // `merchants`: for a gateway that listens on loopback only. INVALID_ARGUMENT naming the caller
  // and key for a merchant or permission that does not exist.
  static absl::StatusOr<std::unique_ptr<CallerTable>> Create(
      std::vector<CallerEntry> entries, std::vector<std::string> merchants,
      const std::vector<std::string>& known_permissions, Proof proof = Proof::kAny);

  // UNAUTHENTICATED / TOKEN_MISSING, TOKEN_UNKNOWN, CERTIFICATE_MISSING, CERTIFICATE_UNKNOWN or
  // CALLERS_DIFFER; PERMISSION_DENIED / PERMISSION_MISSING with metadata `permission` and
  // `caller`. Tokens are compared by digest in constant time. A token that is not known is refused
  // also beside a good certificate. Thread-safe.
  absl::StatusOr<Caller> Authorize(const Evidence& evidence, absl::string_view permission) const;

  bool open() const { return entries_.empty(); }

 private:
  CallerTable() = default;
  absl::StatusOr<const CallerEntry*> ByToken(absl::string_view authorization) const;
  absl::StatusOr<const CallerEntry*> ByCertificate(const std::vector<std::string>& names) const;
  absl::StatusOr<const CallerEntry*> Find(const Evidence& evidence) const;

  Proof proof_ = Proof::kAny;
  std::vector<CallerEntry> entries_;
  std::vector<std::unique_ptr<CallerUse>> uses_;  // of each entry
  std::vector<std::string> merchants_;
};

// How a name of a certificate is compared: a URI (with "://") as it is, a DNS name in lower case.
std::string CertificateName(absl::string_view name);

// What a file of token digests may hold (SecretFile::lines()). INVALID_ARGUMENT / INVALID_CONFIG
// naming the line, comments and empty lines not counted; never its text, which may be the token.
absl::Status ValidateTokenDigests(const std::vector<std::string>& lines);

// The merchant that a call is for: `asked` (metadata x-merchant-id) when it is one of the caller's;
// the caller's only one when nothing was asked. INVALID_ARGUMENT / MERCHANT_REQUIRED;
// PERMISSION_DENIED / MERCHANT_NOT_ALLOWED (the same words for a merchant that does not exist, so
// that ids cannot be tried out).
absl::StatusOr<std::string> ChooseMerchant(const Caller& caller, absl::string_view asked);

// The merchants that a filter means: all of the caller's when `asked` is empty; otherwise each must
// be the caller's, else PERMISSION_DENIED / MERCHANT_NOT_ALLOWED. Sorted, each once.
absl::StatusOr<std::vector<std::string>> NarrowMerchants(const Caller& caller,
                                                         const std::vector<std::string>& asked);

}  // namespace ipp::auth
