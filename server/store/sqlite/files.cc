#include "server/store/sqlite/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/base/log.h"

namespace ipp::store {
namespace {

constexpr mode_t kOwnerOnly = 0600;
constexpr mode_t kOthers = 0077;

}  // namespace

absl::Status SecureSqliteFiles(const std::string& path) {
  const int made = open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, kOwnerOnly);
  if (made >= 0) {
    fchmod(made, kOwnerOnly);  // the umask may have removed the owner's rights
    close(made);
  } else if (errno != EEXIST) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot make the store ", path, ": ", std::strerror(errno)));
  }
  std::vector<std::string> narrowed, wide;
  for (const char* suffix : {"", "-wal", "-shm", ".lock"}) {
    const std::string file = path + suffix;
    struct stat status {};
    if (stat(file.c_str(), &status) != 0 || !S_ISREG(status.st_mode) ||
        (status.st_mode & kOthers) == 0) {
      continue;
    }
    const bool done = chmod(file.c_str(), status.st_mode & 07777 & ~kOthers) == 0;
    (done ? narrowed : wide).push_back(file);
  }
  if (!narrowed.empty()) {
    LogWarning("files of the store could be read by others; now by their owner alone",
               {{"files", absl::StrJoin(narrowed, " ")}});
  }
  if (!wide.empty()) {
    LogWarning("files of the store can be read by others, and their mode cannot be changed",
               {{"files", absl::StrJoin(wide, " ")}});
  }
  return absl::OkStatus();
}

}  // namespace ipp::store
