#include "server/files/memory_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"

namespace ipp::files {
namespace {

absl::Status Failure(absl::string_view what) {
  return absl::ResourceExhaustedError(absl::StrCat(what, ": ", strerrordesc_np(errno)));
}

// A descriptor of a new file.
absl::StatusOr<int> NewFile(absl::string_view text) {
  const int fd = memfd_create("ipp-gateway", MFD_CLOEXEC);
  if (fd < 0) return Failure("no file in memory");
  while (!text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      const absl::Status failed = Failure("cannot write a file in memory");
      close(fd);
      return failed;
    }
    text.remove_prefix(static_cast<size_t>(written));
  }
  return fd;
}

}  // namespace

absl::StatusOr<MemoryFile> MemoryFile::Make(absl::string_view text) {
  const absl::StatusOr<int> fd = NewFile(text);
  if (!fd.ok()) return fd.status();
  MemoryFile file(*fd);
  if (access(file.path().c_str(), R_OK) != 0) return Failure("/proc must be mounted");
  return file;
}

MemoryFile::MemoryFile(MemoryFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

MemoryFile::~MemoryFile() {
  if (fd_ >= 0) close(fd_);
}

std::string MemoryFile::path() const { return absl::StrCat("/proc/self/fd/", fd_); }

absl::Status MemoryFile::Replace(absl::string_view text) const {
  const absl::StatusOr<int> next = NewFile(text);
  if (!next.ok()) return next.status();
  const absl::Cleanup close_file = [fd = *next] { close(fd); };
  if (dup3(*next, fd_, O_CLOEXEC) < 0) return Failure("cannot replace a file in memory");
  return absl::OkStatus();
}

}  // namespace ipp::files
