#include "server/base/small_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace ipp {
namespace {

FileStamp ToStamp(const struct stat& info) {
  return {.modified_ns = int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec,
          .size = info.st_size,
          .inode = info.st_ino};
}

absl::Status Refusal(const std::string& path, absl::string_view what) {
  return absl::FailedPreconditionError(absl::StrCat(path, ": ", what));
}

absl::Status SystemError(const std::string& path, int number) {
  if (number == ENOENT) return absl::NotFoundError(absl::StrCat(path, ": no such file"));
  return Refusal(path, strerrordesc_np(number));
}

}  // namespace

absl::StatusOr<FileStamp> StampOf(const std::string& path) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return SystemError(path, errno);
  return ToStamp(info);
}

absl::StatusOr<FileContent> ReadSmallFile(const std::string& path, size_t max_bytes) {
  // Without O_NONBLOCK, opening a named pipe would block forever.
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return SystemError(path, errno);
  const absl::Cleanup close_file = [fd] { close(fd); };
  struct stat info;
  if (fstat(fd, &info) != 0) return SystemError(path, errno);
  if (!S_ISREG(info.st_mode)) return Refusal(path, "not a regular file");

  FileContent content{.text = std::string(max_bytes + 1, '\0'), .stamp = ToStamp(info)};
  size_t length = 0;
  while (length < content.text.size()) {
    const ssize_t got = read(fd, content.text.data() + length, content.text.size() - length);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return SystemError(path, errno);
    if (got == 0) break;
    length += static_cast<size_t>(got);
  }
  if (length > max_bytes) {
    return Refusal(path, absl::StrCat("larger than ", max_bytes / 1024, " KiB"));
  }
  content.text.resize(length);
  // Editors on Windows put such marks in front of a text.
  if (absl::StartsWith(content.text, "\xFF\xFE") || absl::StartsWith(content.text, "\xFE\xFF")) {
    return Refusal(path, "is UTF-16: save it as UTF-8");
  }
  if (absl::StartsWith(content.text, "\xEF\xBB\xBF")) content.text.erase(0, 3);
  return content;
}

}  // namespace ipp
