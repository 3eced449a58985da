#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/auth/caller_table.h"
#include "server/base/clock.h"
#include "server/base/secret_file.h"
#include "server/config/config.pb.h"
#include "server/upstream/credentials.h"
#include "server/webhook/receiver.h"

namespace ipp {

// What the configuration's files hold; re-read when they change.
struct Secrets {
  upstream::Credentials credentials;
  std::vector<std::pair<std::string, std::unique_ptr<SecretFile>>> webhook_secrets;  // by merchant
  std::vector<std::unique_ptr<SecretFile>> token_files;
  std::unique_ptr<auth::CallerTable> callers;
};

// That the gRPC port can begin with these files: gRPC itself would start, and refuse every client.
// FAILED_PRECONDITION naming key and file. That a certificate has expired is no reason: it may be
// replaced.
absl::Status CheckTlsFiles(const config::Tls& tls);

// Opens every file and checks what is in it. Errors name the configuration key and the file, never
// the content.
absl::StatusOr<Secrets> OpenSecrets(const config::Config& config,
                                    const std::vector<std::string>& permissions, Clock* clock);

// The keys that sign webhooks now. A line that became wrong while we run is left out and logged.
std::vector<webhook::SigningKey> SigningKeys(const Secrets& secrets);

}  // namespace ipp
