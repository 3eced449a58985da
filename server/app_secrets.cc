#include "server/app_secrets.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "absl/strings/str_cat.h"
#include "server/base/log.h"
#include "server/base/status_macros.h"
#include "server/webhook/signature.h"

namespace ipp {
namespace {

absl::Status At(const std::string& key, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(key, ": ", status.message()));
}

absl::Status CheckSigningSecrets(const std::vector<std::string>& lines) {
  for (size_t i = 0; i < lines.size(); ++i) {
    if (const auto key = webhook::DecodeSecret(lines[i]); !key.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("secret ", i + 1, ": ", key.status().message()));
    }
  }
  return absl::OkStatus();
}

absl::Status AddMerchant(const config::Merchant& merchant, int index, Clock* clock,
                         Secrets* secrets) {
  const std::string key = absl::StrCat("merchants[", index, "].");
  if (absl::Status status = secrets->credentials.Add(merchant.id(), merchant.username(),
                                                     merchant.api_key_file(), clock);
      !status.ok()) {
    return At(key + "api_key_file", status);
  }
  if (merchant.webhook_secrets_file().empty()) return absl::OkStatus();
  auto file = SecretFile::Open(merchant.webhook_secrets_file(), clock, &CheckSigningSecrets);
  if (!file.ok()) return At(key + "webhook_secrets_file", file.status());
  secrets->webhook_secrets.emplace_back(merchant.id(), *std::move(file));
  return absl::OkStatus();
}

absl::StatusOr<auth::CallerEntry> OpenCaller(const config::CallerConfig& caller,
                                             const std::string& path, Clock* clock,
                                             Secrets* secrets) {
  auth::CallerEntry entry{.name = caller.name(),
                          .token_sha256 = nullptr,
                          .merchants = {caller.merchants().begin(), caller.merchants().end()},
                          .permissions = {caller.permissions().begin(), caller.permissions().end()},
                          .limits = {.requests_per_second = caller.limits().requests_per_second(),
                                     .in_flight = caller.limits().in_flight(),
                                     .subscribers = caller.limits().subscribers()}};
  for (const std::string& name : caller.tls_san()) {
    entry.certificate_names.push_back(auth::CertificateName(name));
  }
  if (caller.token_sha256_file().empty()) return entry;
  const std::string key = path + "token_sha256_file";
  auto file = SecretFile::Open(caller.token_sha256_file(), clock, &auth::ValidateTokenDigests);
  if (!file.ok()) return At(key, file.status());
  entry.token_sha256 = [file = file->get()] { return file->lines(); };
  secrets->token_files.push_back(*std::move(file));
  return entry;
}

}  // namespace

absl::Status CheckTlsFiles(const config::Tls& tls) {
  if (tls.cert_file().empty()) return absl::OkStatus();
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_server_method()),
                                                                  &SSL_CTX_free);
  const auto cannot = [](absl::string_view key, const std::string& path, absl::string_view what) {
    ERR_clear_error();
    return absl::FailedPreconditionError(absl::StrCat("tls.", key, ": ", path, ": ", what));
  };
  if (SSL_CTX_use_certificate_chain_file(context.get(), tls.cert_file().c_str()) != 1) {
    return cannot("cert_file", tls.cert_file(), "is no readable PEM file of certificates");
  }
  if (SSL_CTX_use_PrivateKey_file(context.get(), tls.key_file().c_str(), SSL_FILETYPE_PEM) != 1) {
    return cannot("key_file", tls.key_file(),
                  "is no readable PEM file with the certificate's private key");
  }
  if (!tls.client_ca_file().empty() &&
      SSL_CTX_load_verify_locations(context.get(), tls.client_ca_file().c_str(), nullptr) != 1) {
    return cannot("client_ca_file", tls.client_ca_file(),
                  "is no readable PEM file of certificates");
  }
  return absl::OkStatus();
}

absl::StatusOr<Secrets> OpenSecrets(const config::Config& config,
                                    const std::vector<std::string>& permissions, Clock* clock) {
  Secrets secrets;
  std::vector<std::string> merchants;
  for (int i = 0; i < config.merchants_size(); ++i) {
    IPP_RETURN_IF_ERROR(AddMerchant(config.merchants(i), i, clock, &secrets));
    merchants.push_back(config.merchants(i).id());
  }
  std::vector<auth::CallerEntry> entries;
  for (int i = 0; i < config.callers_size(); ++i) {
    IPP_ASSIGN_OR_RETURN(
        auth::CallerEntry entry,
        OpenCaller(config.callers(i), absl::StrCat("callers[", i, "]."), clock, &secrets));
    entries.push_back(std::move(entry));
  }
  IPP_ASSIGN_OR_RETURN(secrets.callers, auth::CallerTable::Create(
                                            std::move(entries), std::move(merchants), permissions,
                                            config.caller_proof() == "both" ? auth::Proof::kBoth
                                                                            : auth::Proof::kAny));
  return secrets;
}

std::vector<absl::Status> Secrets::Reread() const {
  std::vector<absl::Status> errors = credentials.Reread();
  const auto reread = [&errors](SecretFile* file) {
    if (absl::Status read = file->Reread(); !read.ok()) errors.push_back(std::move(read));
  };
  for (const auto& [merchant, file] : webhook_secrets) reread(file.get());
  for (const auto& file : token_files) reread(file.get());
  return errors;
}

webhook::SigningKeys WebhookKeys::Now() {
  const auto& files = secrets_->webhook_secrets;
  MutexLock lock(&mutex_);
  lines_.resize(files.size());
  bool same = keys_ != nullptr;
  for (size_t i = 0; i < files.size(); ++i) {
    SecretFile::Lines now = files[i].second->lines();
    if (now == lines_[i]) continue;
    lines_[i] = std::move(now);
    same = false;
  }
  if (same) return keys_;
  std::vector<webhook::SigningKey> keys;
  for (size_t i = 0; i < files.size(); ++i) {
    for (const std::string& secret : *lines_[i]) {
      // The file's check accepts no other lines.
      absl::StatusOr<std::string> key = webhook::DecodeSecret(secret);
      if (key.ok()) keys.push_back({files[i].first, *std::move(key)});
    }
  }
  keys_ = std::make_shared<const std::vector<webhook::SigningKey>>(std::move(keys));
  return keys_;
}

}  // namespace ipp
