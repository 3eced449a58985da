#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/auth/caller_table.h"
#include "server/base/clock.h"
#include "server/base/metrics.h"
#include "server/base/mutex.h"
#include "server/base/secret_file.h"
#include "server/config/config.pb.h"
#include "server/upstream/credentials.h"
#include "server/webhook/receiver.h"

namespace ipp {

// How many files of a kind have changed into something that cannot be used. `kind`: api_key,
// webhook_secrets, token_sha256, tls, client_ca, upstream_ca, postgres.
Gauge* RefusedFiles(Metrics* metrics, const std::string& kind);

// The secrets in the configuration's files; re-read when they change.
struct Secrets {
  upstream::Credentials credentials;
  std::vector<std::pair<std::string, std::unique_ptr<SecretFile>>> webhook_secrets;  // by merchant
  std::vector<std::unique_ptr<SecretFile>> token_files;
  std::unique_ptr<auth::CallerTable> callers;

  // Reads every file again. Returns how many cannot be used; each of those keeps its old value.
  int LookAgain() const;
};

// Opens every file and checks its content. Adds a line to `problems` for each one that cannot be
// used; the lines name the configuration key and the file, never the content. What is returned is
// whole if there is none.
Secrets OpenSecrets(const config::Config& config, const std::vector<std::string>& permissions,
                    Clock* clock, Metrics* metrics, std::vector<std::string>* problems);

// The current keys for webhook signatures, decoded when a file has changed. If a file becomes
// invalid while the process runs, all of its previous keys stay in use and the problem is logged
// (SecretFile). Thread-safe. Borrows the secrets.
class WebhookKeys {
 public:
  explicit WebhookKeys(const Secrets* secrets) : secrets_(secrets) {}
  webhook::SigningKeys Now();

 private:
  const Secrets* const secrets_;
  Mutex mutex_;
  std::vector<SecretFile::Lines> lines_ ABSL_GUARDED_BY(mutex_);  // what `keys_` was made of
  webhook::SigningKeys keys_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace ipp
