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
#include "server/base/mutex.h"
#include "server/base/secret_file.h"
#include "server/config/config.pb.h"
#include "server/upstream/credentials.h"
#include "server/webhook/receiver.h"

namespace ipp {

// The secrets in the configuration's files; re-read when they change.
struct Secrets {
  upstream::Credentials credentials;
  std::vector<std::pair<std::string, std::unique_ptr<SecretFile>>> webhook_secrets;  // by merchant
  std::vector<std::unique_ptr<SecretFile>> token_files;
  std::unique_ptr<auth::CallerTable> callers;

  // Reads every file now. Returns the errors; each file that has one keeps its old value.
  std::vector<absl::Status> Reread() const;
};

// Checks that the gRPC port can use these files; gRPC itself would start and then refuse every
// client. FAILED_PRECONDITION naming the key and the file. An expired certificate is accepted,
// since it may be replaced.
absl::Status CheckTlsFiles(const config::Tls& tls);

// Opens every file and checks its content. Errors name the configuration key and the file, never
// the content.
absl::StatusOr<Secrets> OpenSecrets(const config::Config& config,
                                    const std::vector<std::string>& permissions, Clock* clock);

// The current keys for webhook signatures, decoded when a file has changed. If a file becomes
// invalid while the process runs, its previous keys stay in use and the problem is logged
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
