#include "server/app_secrets.h"

#include "absl/strings/str_cat.h"
#include "server/base/log.h"
#include "server/base/status_macros.h"
#include "server/webhook/signature.h"

namespace ipp {
namespace {

absl::Status At(const std::string& key, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(key, ": ", status.message()));
}

absl::Status CheckSigningSecrets(SecretFile* file) {
  int line = 0;
  for (const std::string& secret : file->lines()) {
    ++line;
    if (const auto key = webhook::DecodeSecret(secret); !key.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(file->path(), ": secret ", line, ": ", key.status().message()));
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
  auto file = SecretFile::Open(merchant.webhook_secrets_file(), clock);
  if (!file.ok()) return At(key + "webhook_secrets_file", file.status());
  if (absl::Status status = CheckSigningSecrets(file->get()); !status.ok()) {
    return At(key + "webhook_secrets_file", status);
  }
  secrets->webhook_secrets.emplace_back(merchant.id(), *std::move(file));
  return absl::OkStatus();
}

}  // namespace

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
    const config::CallerConfig& caller = config.callers(i);
    const std::string key = absl::StrCat("callers[", i, "].token_sha256_file");
    auto file = SecretFile::Open(caller.token_sha256_file(), clock);
    if (!file.ok()) return At(key, file.status());
    if (absl::Status status = auth::ValidateTokenDigests((*file)->lines()); !status.ok()) {
      return At(absl::StrCat(key, ": ", (*file)->path()), status);
    }
    entries.push_back({.name = caller.name(),
                       .token_sha256 = [file = file->get()] { return file->lines(); },
                       .merchants = {caller.merchants().begin(), caller.merchants().end()},
                       .permissions = {caller.permissions().begin(), caller.permissions().end()}});
    secrets.token_files.push_back(*std::move(file));
  }
  IPP_ASSIGN_OR_RETURN(secrets.callers, auth::CallerTable::Create(
                                            std::move(entries), std::move(merchants), permissions));
  return secrets;
}

std::vector<webhook::SigningKey> SigningKeys(const Secrets& secrets) {
  std::vector<webhook::SigningKey> keys;
  for (const auto& [merchant_id, file] : secrets.webhook_secrets) {
    for (const std::string& secret : file->lines()) {
      absl::StatusOr<std::string> key = webhook::DecodeSecret(secret);
      if (key.ok()) {
        keys.push_back({merchant_id, *std::move(key)});
      } else {
        LogError("a webhook secret cannot be used", {{"file", file->path()}});
      }
    }
  }
  return keys;
}

}  // namespace ipp
