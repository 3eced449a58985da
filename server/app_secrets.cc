#include "server/app_secrets.h"

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/webhook/signature.h"

namespace ipp {
namespace {

absl::Status CheckSigningSecrets(const std::vector<std::string>& lines) {
  for (size_t i = 0; i < lines.size(); ++i) {
    absl::Status line = CheckSecretText(lines[i]);
    if (line.ok()) line = webhook::DecodeSecret(lines[i]).status();
    if (line.ok()) continue;
    return absl::InvalidArgumentError(absl::StrCat("secret ", i + 1, ": ", line.message()));
  }
  return absl::OkStatus();
}

// Opens the files, one after the other, and gathers what is wrong with them.
class SecretsReader {
 public:
  SecretsReader(Clock* clock, Metrics* metrics, std::vector<std::string>* problems)
      : clock_(clock),
        api_keys_(RefusedFiles(metrics, "api_key")),
        webhook_secrets_(RefusedFiles(metrics, "webhook_secrets")),
        token_digests_(RefusedFiles(metrics, "token_sha256")),
        problems_(problems) {}

  void AddMerchant(const config::Merchant& merchant, int index, Secrets* secrets) {
    const std::string key = absl::StrCat("merchants[", index, "].");
    Note(key + "api_key_file",
         secrets->credentials.Add(merchant.id(), merchant.username(), merchant.api_key_file(),
                                  clock_, api_keys_));
    if (merchant.webhook_secrets_file().empty()) return;
    auto file = SecretFile::Open(merchant.webhook_secrets_file(), clock_, &CheckSigningSecrets,
                                 webhook_secrets_);
    Note(key + "webhook_secrets_file", file.status());
    if (file.ok()) secrets->webhook_secrets.emplace_back(merchant.id(), *std::move(file));
  }

  auth::CallerEntry OpenCaller(const config::CallerConfig& caller, int index, Secrets* secrets) {
    auth::CallerEntry entry{
        .name = caller.name(),
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
    auto file = SecretFile::Open(caller.token_sha256_file(), clock_, &auth::ValidateTokenDigests,
                                 token_digests_);
    Note(absl::StrCat("callers[", index, "].token_sha256_file"), file.status());
    if (!file.ok()) return entry;
    entry.token_sha256 = [file = file->get()] { return file->lines(); };
    secrets->token_files.push_back(*std::move(file));
    return entry;
  }

 private:
  void Note(const std::string& key, const absl::Status& status) {
    if (!status.ok()) problems_->push_back(absl::StrCat(key, ": ", status.message()));
  }

  Clock* const clock_;
  Gauge* const api_keys_;
  Gauge* const webhook_secrets_;
  Gauge* const token_digests_;
  std::vector<std::string>* const problems_;
};

}  // namespace

Gauge* RefusedFiles(Metrics* metrics, const std::string& kind) {
  return &metrics->gauge("ipp_secret_file_refused",
                         "Files whose newest content cannot be used; what was read before is kept.",
                         {{"kind", kind}});
}

int Secrets::LookAgain() const {
  int refused = credentials.LookAgain();
  for (const auto& [merchant, file] : webhook_secrets) refused += file->LookAgain().ok() ? 0 : 1;
  for (const auto& file : token_files) refused += file->LookAgain().ok() ? 0 : 1;
  return refused;
}

Secrets OpenSecrets(const config::Config& config, const std::vector<std::string>& permissions,
                    Clock* clock, Metrics* metrics, std::vector<std::string>* problems) {
  Secrets secrets;
  SecretsReader reader(clock, metrics, problems);
  std::vector<std::string> merchants;
  for (int i = 0; i < config.merchants_size(); ++i) {
    reader.AddMerchant(config.merchants(i), i, &secrets);
    merchants.push_back(config.merchants(i).id());
  }
  std::vector<auth::CallerEntry> entries;
  for (int i = 0; i < config.callers_size(); ++i) {
    entries.push_back(reader.OpenCaller(config.callers(i), i, &secrets));
  }
  auto callers = auth::CallerTable::Create(
      std::move(entries), std::move(merchants), permissions,
      config.caller_proof() == "both" ? auth::Proof::kBoth : auth::Proof::kAny);
  if (callers.ok()) {
    secrets.callers = *std::move(callers);
  } else {
    problems->emplace_back(callers.status().message());
  }
  return secrets;
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
