#include "client/ippctl/signing_secret.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <array>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "server/base/clock.h"
#include "server/base/secret_file.h"
#include "server/webhook/signature.h"

namespace ipp::ippctl {
namespace {

absl::Status MakeSecretFile(const std::string& path) {
  std::array<char, 32> key;
  if (getentropy(key.data(), key.size()) != 0) {
    return absl::InternalError("the system gives no random bytes");
  }
  const std::string line =
      absl::StrCat("whsec_", absl::Base64Escape(absl::string_view(key.data(), key.size())), "\n");
  // O_EXCL: a file that another process created meanwhile is not overwritten.
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot make ", path, ": ", strerrordesc_np(errno)));
  }
  const bool written = write(fd, line.data(), line.size()) == static_cast<ssize_t>(line.size());
  if (close(fd) == 0 && written) return absl::OkStatus();
  unlink(path.c_str());
  return absl::FailedPreconditionError(absl::StrCat("cannot write ", path));
}

}  // namespace

absl::StatusOr<SigningKeys> ReadOrMakeSigningKeys(const std::string& path) {
  SigningKeys result;
  auto file = SecretFile::Open(path, Clock::Real());
  if (absl::IsNotFound(file.status())) {
    if (const absl::Status status = MakeSecretFile(path); !status.ok()) return status;
    result.made = true;
    file = SecretFile::Open(path, Clock::Real());
  }
  if (!file.ok()) return file.status();
  for (const std::string& line : *(*file)->lines()) {
    absl::StatusOr<std::string> key = webhook::DecodeSecret(line);
    if (!key.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": ", key.status().message()));
    }
    result.keys.push_back(*std::move(key));
  }
  return result;
}

}  // namespace ipp::ippctl
