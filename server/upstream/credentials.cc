#include "server/upstream/credentials.h"

#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"

namespace ipp::upstream {

namespace {

// The key is sent in a header field, which limits the characters.
absl::Status CheckKey(const std::vector<std::string>& lines) {
  if (lines.size() > 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("holds ", lines.size(), " lines: the API key is one line"));
  }
  if (const absl::Status text = CheckSecretText(lines[0]); !text.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("the API key ", text.message()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Credentials::Add(std::string merchant_id, std::string username, std::string key_file,
                              Clock* clock, Gauge* refused) {
  IPP_ASSIGN_OR_RETURN(std::unique_ptr<SecretFile> key,
                       SecretFile::Open(std::move(key_file), clock, &CheckKey, refused));
  entries_[std::move(merchant_id)] = std::make_unique<Entry>(std::move(username), std::move(key));
  return absl::OkStatus();
}

std::shared_ptr<const Credentials::Key> Credentials::Entry::Now() {
  SecretFile::Lines lines = file_->lines();
  MutexLock lock(&mutex_);
  if (lines != lines_) {
    const std::string& secret = lines->front();
    // The upstream accepts the raw key after `Basic `, or ordinary HTTP Basic with the Portal's
    // user name.
    const std::string sent =
        username_.empty() ? secret : absl::Base64Escape(absl::StrCat(username_, ":", secret));
    key_ = std::make_shared<const Key>(
        Key{.authorization = absl::StrCat("Basic ", sent), .secrets = {sent, secret}});
    lines_ = std::move(lines);
  }
  return key_;
}

int Credentials::LookAgain() const {
  int refused = 0;
  for (const auto& [merchant, entry] : entries_) refused += entry->LookAgain().ok() ? 0 : 1;
  return refused;
}

absl::StatusOr<std::shared_ptr<const Credentials::Key>> Credentials::Find(
    absl::string_view merchant_id) const {
  const auto it = entries_.find(merchant_id);
  if (it == entries_.end()) return absl::NotFoundError("merchant is not configured");
  return it->second->Now();
}

}  // namespace ipp::upstream
