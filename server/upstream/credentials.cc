#include "server/upstream/credentials.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"

namespace ipp::upstream {

namespace {

// The key is sent in a header field, which limits the characters.
absl::Status CheckKey(const std::vector<std::string>& lines) {
  const auto visible = [](unsigned char c) { return c > ' ' && c < 0x7f; };
  if (std::all_of(lines[0].begin(), lines[0].end(), visible)) return absl::OkStatus();
  return absl::InvalidArgumentError("the key has characters other than visible ASCII ones");
}

}  // namespace

absl::Status Credentials::Add(std::string merchant_id, std::string username, std::string key_file,
                              Clock* clock) {
  IPP_ASSIGN_OR_RETURN(std::unique_ptr<SecretFile> key,
                       SecretFile::Open(std::move(key_file), clock, &CheckKey));
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

std::vector<absl::Status> Credentials::Reread() const {
  std::vector<absl::Status> errors;
  for (const auto& [merchant, entry] : entries_) {
    if (absl::Status read = entry->Reread(); !read.ok()) errors.push_back(std::move(read));
  }
  return errors;
}

absl::StatusOr<std::shared_ptr<const Credentials::Key>> Credentials::Find(
    absl::string_view merchant_id) const {
  const auto it = entries_.find(merchant_id);
  if (it == entries_.end()) return absl::NotFoundError("merchant is not configured");
  return it->second->Now();
}

}  // namespace ipp::upstream
