#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/auth/caller_use.h"

// Identifies callers and decides what they may do. Denies by default.
namespace ipp::auth {

// A caller, as it is configured.
struct CallerEntry {
  std::string name;
  // SHA-256 digests of the caller's bearer tokens, in hex; a text that is not a digest matches
  // nothing. Called for each RPC, on any thread, since the files are re-read.
  std::function<std::shared_ptr<const std::vector<std::string>>()> token_sha256;
  // URI or DNS names of its client certificates (subjectAltName), as CertificateName makes them.
  std::vector<std::string> certificate_names = {};
  std::vector<std::string> merchants;    // ids of configured merchants
  std::vector<std::string> permissions;  // "sessions.write", "sessions.*", "*"
  CallerLimits limits = {};
};

// The evidence that a call carries of its caller's identity.
struct Evidence {
  // The value of the metadata key `authorization`, "Bearer <token>"; empty if absent.
  absl::string_view authorization;
  // The URI and DNS names of the client certificate, which the TLS layer has verified, in the form
  // of CertificateName; empty without a certificate.
  std::vector<std::string> certificate_names = {};
};

// What a caller must present.
enum class Proof {
  kAny,   // a token or a certificate; if both name a caller, it must be the same
  kBoth,  // a token and a certificate of the same caller
};

// The caller of an RPC and the merchants that it may access.
struct Caller {
  std::string name;
  std::vector<std::string> merchants;  // sorted
  CallerUse* use = nullptr;            // owned by the table; nullptr: no limits
};

class CallerTable {
 public:
  // Without entries every client is the caller "anonymous", with every permission and all of
  // `merchants`; this is for a gateway that listens on loopback only. INVALID_ARGUMENT, naming the
  // caller and the key, for a merchant or permission that does not exist; of permissions it lists
  // those that do.
  static absl::StatusOr<std::unique_ptr<CallerTable>> Create(
      std::vector<CallerEntry> entries, std::vector<std::string> merchants,
      const std::vector<std::string>& known_permissions, Proof proof = Proof::kAny);

  // UNAUTHENTICATED / TOKEN_MISSING, TOKEN_UNKNOWN, CERTIFICATE_MISSING, CERTIFICATE_UNKNOWN or
  // CALLERS_DIFFER; PERMISSION_DENIED / PERMISSION_MISSING with metadata `permission` and `caller`.
  // Tokens are compared by digest in constant time. An unknown token is refused even if the
  // certificate is valid. Thread-safe.
  absl::StatusOr<Caller> Authorize(const Evidence& evidence, absl::string_view permission) const;

  bool open() const { return entries_.empty(); }

 private:
  CallerTable() = default;
  absl::StatusOr<const CallerEntry*> ByToken(absl::string_view authorization) const;
  absl::StatusOr<const CallerEntry*> ByCertificate(const std::vector<std::string>& names) const;
  absl::StatusOr<const CallerEntry*> Find(const Evidence& evidence) const;

  Proof proof_ = Proof::kAny;
  std::vector<CallerEntry> entries_;
  std::vector<std::unique_ptr<CallerUse>> uses_;  // one per entry
  std::vector<std::string> merchants_;
};

// The form in which certificate names are compared: a URI (with "://") unchanged, a DNS name in
// lower case.
std::string CertificateName(absl::string_view name);

// Checks the lines of a file of token digests (SecretFile::lines()). INVALID_ARGUMENT /
// INVALID_CONFIG naming the line's number, not counting comments and empty lines; never the line's
// text, which may be the token itself.
absl::Status ValidateTokenDigests(const std::vector<std::string>& lines);

// The merchant that a call is for: `asked` (metadata x-merchant-id) if it is one of the caller's;
// if `asked` is empty, the caller's only merchant. INVALID_ARGUMENT / MERCHANT_REQUIRED;
// PERMISSION_DENIED / MERCHANT_NOT_ALLOWED, with the same message for a merchant that does not
// exist, so that a caller cannot find out which ids exist.
absl::StatusOr<std::string> ChooseMerchant(const Caller& caller, absl::string_view asked);

// The merchants that a filter selects: all of the caller's if `asked` is empty; otherwise each must
// be one of the caller's, else PERMISSION_DENIED / MERCHANT_NOT_ALLOWED. Sorted, without
// duplicates.
absl::StatusOr<std::vector<std::string>> NarrowMerchants(const Caller& caller,
                                                         const std::vector<std::string>& asked);

}  // namespace ipp::auth
