#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/base/clock.h"
#include "server/base/mutex.h"
#include "server/base/secret_file.h"

namespace ipp::upstream {

// The gateway's API keys for the upstream, one per merchant. Thread-safe after set-up.
class Credentials {
 public:
  // Reads the key's file now, and again whenever it changes. If `username` is empty, only the key
  // is sent. `refused` counts files (SecretFile). An error names the file, never the key.
  absl::Status Add(std::string merchant_id, std::string username, std::string key_file,
                   Clock* clock, Gauge* refused = nullptr);
  // Reads every file again, so that a change that cannot be used is noticed without a call. Returns
  // how many cannot be used; each of those keeps its old key.
  int LookAgain() const;

  struct Key {
    // The header's value: `Basic <key>`, or `Basic base64(username:key)`.
    std::string authorization;
    // Every form in which the key is sent, so that it can be removed from text that the upstream
    // echoes.
    std::vector<std::string> secrets;
  };
  // The same object until the file changes; never null. NOT_FOUND for a merchant that is not
  // configured.
  absl::StatusOr<std::shared_ptr<const Key>> Find(absl::string_view merchant_id) const;

 private:
  class Entry {
   public:
    Entry(std::string username, std::unique_ptr<SecretFile> file)
        : username_(std::move(username)), file_(std::move(file)) {}
    std::shared_ptr<const Key> Now();
    absl::Status LookAgain() { return file_->LookAgain(); }

   private:
    const std::string username_;
    const std::unique_ptr<SecretFile> file_;
    Mutex mutex_;
    // What `key_` was made of.
    SecretFile::Lines lines_ ABSL_GUARDED_BY(mutex_);
    std::shared_ptr<const Key> key_ ABSL_GUARDED_BY(mutex_);
  };
  std::map<std::string, std::unique_ptr<Entry>, std::less<>> entries_;
};

}  // namespace ipp::upstream
