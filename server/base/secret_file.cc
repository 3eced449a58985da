#include "server/base/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/base/log.h"

namespace ipp {
namespace {

constexpr absl::Duration kLookEvery = absl::Seconds(1);
constexpr size_t kMaxBytes = 64 * 1024;

std::vector<std::string> MeaningfulLines(absl::string_view text) {
  std::vector<std::string> lines;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    line = absl::StripAsciiWhitespace(line);
    if (!line.empty() && line[0] != '#') lines.emplace_back(line);
  }
  return lines;
}

}  // namespace

absl::StatusOr<std::unique_ptr<SecretFile>> SecretFile::Open(std::string path, Clock* clock,
                                                             Check check) {
  std::unique_ptr<SecretFile> file(new SecretFile(std::move(path), clock, check));
  MutexLock lock(&file->mutex_);
  file->next_look_ = clock->Now() + kLookEvery;
  if (absl::Status loaded = file->Load(); !loaded.ok()) return loaded;
  return file;
}

SecretFile::Lines SecretFile::lines() {
  const absl::Time now = clock_->Now();
  MutexLock lock(&mutex_);
  // The second condition: if the clock was set back, the file must still be checked.
  if (now < next_look_ && now >= next_look_ - kLookEvery) return lines_;
  next_look_ = now + kLookEvery;
  const absl::Status loaded = Load();
  if (!loaded.ok() && !complained_) {
    LogWarning("secret file not usable, the value read before is kept",
               {{"path", path_}, {"error", std::string(loaded.message())}});
  }
  complained_ = !loaded.ok();
  return lines_;
}

absl::Status SecretFile::Reread() {
  MutexLock lock(&mutex_);
  next_look_ = clock_->Now() + kLookEvery;
  // An impossible stamp, so that Load() does not take the file for unchanged.
  const Stamp before = std::exchange(stamp_, {.modified_ns = -1, .size = -1, .inode = 0});
  const Lines old = lines_;
  const absl::Status loaded = Load();
  if (!loaded.ok()) stamp_ = before;
  // The same object while the lines are the same, as lines() promises.
  if (loaded.ok() && *old == *lines_) lines_ = old;
  complained_ = !loaded.ok();
  return loaded;
}

std::string SecretFile::value() { return lines()->front(); }

absl::Status SecretFile::Load() {
  const auto stamp_of = [](const struct stat& info) {
    return Stamp{.modified_ns = int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec,
                 .size = info.st_size,
                 .inode = info.st_ino};
  };
  const auto error = [this](absl::string_view what) {
    return absl::FailedPreconditionError(absl::StrCat(path_, ": ", what));
  };
  const auto system_error = [this, &error](int number) {
    if (number == ENOENT) return absl::NotFoundError(absl::StrCat(path_, ": no such file"));
    return error(strerrordesc_np(number));
  };

  struct stat info;
  if (stat(path_.c_str(), &info) != 0) return system_error(errno);
  if (lines_ != nullptr && stamp_of(info) == stamp_) return absl::OkStatus();

  // Without O_NONBLOCK, opening a named pipe would block forever.
  const int fd = open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return system_error(errno);
  const absl::Cleanup close_file = [fd] { close(fd); };
  // Checks the file that is now open: it may be a different one from the file that stat() saw.
  if (fstat(fd, &info) != 0) return system_error(errno);
  if (!S_ISREG(info.st_mode)) return error("not a regular file");

  std::string text(kMaxBytes + 1, '\0');
  size_t length = 0;
  while (length < text.size()) {
    const ssize_t got = read(fd, text.data() + length, text.size() - length);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_error(errno);
    if (got == 0) break;
    length += static_cast<size_t>(got);
  }
  if (length > kMaxBytes) return error("larger than 64 KiB");
  std::vector<std::string> lines = MeaningfulLines(absl::string_view(text.data(), length));
  if (lines.empty()) return error("empty");
  if (check_ != nullptr) {
    if (const absl::Status refused = check_(lines); !refused.ok()) return error(refused.message());
  }
  lines_ = std::make_shared<const std::vector<std::string>>(std::move(lines));
  stamp_ = stamp_of(info);
  return absl::OkStatus();
}

}  // namespace ipp
