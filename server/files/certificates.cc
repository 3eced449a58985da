#include "server/files/certificates.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>
#include <ctime>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/small_file.h"
#include "server/base/status_macros.h"

namespace ipp::files {
namespace {

constexpr size_t kMaxBytes = 1024 * 1024;  // the bundle of all public authorities has a quarter
constexpr absl::Duration kSoon = absl::Hours(24 * 30);

template <auto kFree>
struct Freer {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using Bio = std::unique_ptr<BIO, Freer<BIO_free>>;
using Certificate = std::unique_ptr<X509, Freer<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;

Bio Reading(const std::string& text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

absl::Status Refusal(const std::string& path, absl::string_view what) {
  ERR_clear_error();
  return absl::FailedPreconditionError(absl::StrCat(path, ": ", what));
}

// Other blocks between the certificates, such as a private key, are passed over.
absl::StatusOr<std::vector<Certificate>> ParseCertificates(const std::string& pem,
                                                           const std::string& path) {
  const Bio bio = Reading(pem);
  std::vector<Certificate> all;
  while (X509* one = PEM_read_bio_X509_AUX(bio.get(), nullptr, nullptr, nullptr)) {
    all.emplace_back(one);
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  if (!at_end) {
    return Refusal(path, absl::StrCat("certificate ", all.size() + 1, " cannot be read"));
  }
  if (all.empty()) return Refusal(path, "holds no certificate in PEM form");
  ERR_clear_error();
  return all;
}

absl::Time ToTime(const ASN1_TIME* time, absl::Time otherwise) {
  std::tm tm{};
  return ASN1_TIME_to_tm(time, &tm) == 1 ? absl::FromTM(tm, absl::UTCTimeZone()) : otherwise;
}

struct Validity {
  explicit Validity(const X509* certificate)
      : begins(ToTime(X509_get0_notBefore(certificate), absl::InfiniteFuture())),
        expires(ToTime(X509_get0_notAfter(certificate), absl::InfinitePast())) {}

  // What is wrong at `now`; empty if nothing is.
  std::string Fault(absl::Time now) const {
    if (now > expires) return absl::StrCat("has expired (", Day(expires), ")");
    if (now < begins) return absl::StrCat("is not valid before ", Day(begins));
    return "";
  }
  // A certificate that lives for days alone is not reported while it is young.
  bool EndsSoon(absl::Time now) const {
    const absl::Duration life = expires - begins;
    return expires - now < (life > kSoon ? kSoon : life / 3);
  }
  static std::string Day(absl::Time time) {
    return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone());
  }

  absl::Time begins;
  absl::Time expires;
};

std::string Name(size_t index, size_t count) {
  return count == 1 ? "the certificate" : absl::StrCat("certificate ", index + 1, " of ", count);
}

// OpenSSL would ask on a terminal. `asked` is a bool.
int NoPassphrase(char*, int, int, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

}  // namespace

absl::StatusOr<CertificateFile> ReadChain(const std::string& path, absl::Time now) {
  IPP_ASSIGN_OR_RETURN(FileContent content, ReadSmallFile(path, kMaxBytes));
  IPP_ASSIGN_OR_RETURN(const std::vector<Certificate> all, ParseCertificates(content.text, path));
  CertificateFile file;
  for (size_t i = 0; i < all.size(); ++i) {
    const Validity validity(all[i].get());
    const std::string name = Name(i, all.size());
    if (const std::string fault = validity.Fault(now); !fault.empty()) {
      // A cross-signed authority at the end of a chain may have expired without harm.
      if (i == 0) return Refusal(path, absl::StrCat(name, " ", fault));
      file.warnings.push_back(absl::StrCat(path, ": ", name, " ", fault));
    } else if (validity.EndsSoon(now)) {
      file.warnings.push_back(
          absl::StrCat(path, ": ", name, " expires soon (", Validity::Day(validity.expires), ")"));
    }
    if (i == 0) {
      file.begins = validity.begins;
      file.expires = validity.expires;
    }
  }
  file.pem = std::move(content.text);
  return file;
}

absl::StatusOr<std::string> ReadKey(const std::string& path, const CertificateFile& chain) {
  IPP_ASSIGN_OR_RETURN(FileContent content, ReadSmallFile(path, kMaxBytes));
  const Bio bio = Reading(content.text);
  bool encrypted = false;
  const Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, &NoPassphrase, &encrypted));
  if (key == nullptr) {
    return Refusal(path, encrypted
                             ? "the private key is encrypted: the gateway has no passphrase for it"
                             : "holds no private key in PEM form");
  }
  IPP_ASSIGN_OR_RETURN(const std::vector<Certificate> all, ParseCertificates(chain.pem, path));
  for (size_t i = 0; i < all.size(); ++i) {
    if (X509_check_private_key(all[i].get(), key.get()) != 1) continue;
    ERR_clear_error();
    if (i == 0) return std::move(content.text);
    return Refusal(path, absl::StrCat("belongs to certificate ", i + 1,
                                      " of the chain: that one must be the first"));
  }
  return Refusal(path, "the private key does not belong to the certificate");
}

absl::StatusOr<CertificateFile> ReadAuthorities(const std::string& path, absl::Time now) {
  IPP_ASSIGN_OR_RETURN(FileContent content, ReadSmallFile(path, kMaxBytes));
  IPP_ASSIGN_OR_RETURN(const std::vector<Certificate> all, ParseCertificates(content.text, path));
  CertificateFile file{.begins = absl::InfinitePast(), .expires = absl::InfinitePast()};
  std::string first_fault;
  for (size_t i = 0; i < all.size(); ++i) {
    const Validity validity(all[i].get());
    const std::string name = Name(i, all.size());
    if (const std::string fault = validity.Fault(now); !fault.empty()) {
      if (first_fault.empty()) first_fault = absl::StrCat(name, " ", fault);
      file.warnings.push_back(absl::StrCat(path, ": ", name, " ", fault));
      continue;
    }
    if (validity.EndsSoon(now)) {
      file.warnings.push_back(
          absl::StrCat(path, ": ", name, " expires soon (", Validity::Day(validity.expires), ")"));
    }
    if (validity.expires > file.expires) {
      file.begins = validity.begins;
      file.expires = validity.expires;
    }
  }
  if (file.expires == absl::InfinitePast()) {
    return Refusal(path, absl::StrCat("no authority is valid: ", first_fault));
  }
  file.pem = std::move(content.text);
  return file;
}

}  // namespace ipp::files
