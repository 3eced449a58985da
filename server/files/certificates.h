#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

// Reads and judges the PEM files that the configuration names, before a library that would say less
// about them, and later. Errors are FAILED_PRECONDITION or NOT_FOUND; they name the file and what
// is wrong with it, never the content. Thread-safe.
namespace ipp::files {

struct CertificateFile {
  std::string pem = {};  // what was read
  // Of a certificate with its chain: of the first one. Of authorities: of the one that is valid for
  // longest, since without it the file trusts nothing.
  absl::Time begins;
  absl::Time expires;
  // What works today and needs a person soon, such as a certificate that expires within 30 days.
  std::vector<std::string> warnings = {};
};

// A certificate, with those of its chain behind it. Refused if the first one has expired or is not
// valid yet at `now`.
absl::StatusOr<CertificateFile> ReadChain(const std::string& path, absl::Time now);

// The private key of the first certificate of `chain`; the PEM text. Refused if it belongs to
// another certificate or is encrypted.
absl::StatusOr<std::string> ReadKey(const std::string& path, const CertificateFile& chain);

// Certificates of authorities. Refused if none of them is valid at `now`.
absl::StatusOr<CertificateFile> ReadAuthorities(const std::string& path, absl::Time now);

}  // namespace ipp::files
