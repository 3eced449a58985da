#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/base/mutex.h"

namespace ipp {

// A secret that lives in a file and may be replaced while we run. Thread-safe. The value never
// appears in an error.
class SecretFile {
 public:
  // Whether the lines can be used; the error never quotes them.
  using Check = absl::Status (*)(const std::vector<std::string>& lines);

  // Reads the file; NOT_FOUND or FAILED_PRECONDITION naming the path when it is missing, empty, or
  // larger than 64 KiB; what `check` says when it refuses the lines.
  static absl::StatusOr<std::unique_ptr<SecretFile>> Open(std::string path, Clock* clock,
                                                          Check check = nullptr);

  // The lines of the file, white space around them and empty lines left out, lines that begin with
  // '#' too. Looks at the file at most once a second and reads it again when it has changed (time,
  // size or inode: Kubernetes swaps a symlink); keeps the old value and logs, once, when the new
  // one cannot be read, is empty, or is refused by the check.
  std::vector<std::string> lines();
  // The first line.
  std::string value();
  const std::string& path() const { return path_; }

 private:
  struct Stamp {
    int64_t modified_ns = 0;
    int64_t size = 0;
    uint64_t inode = 0;
    bool operator==(const Stamp&) const = default;
  };

  SecretFile(std::string path, Clock* clock, Check check)
      : path_(std::move(path)), clock_(clock), check_(check) {}
  absl::Status Load() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string path_;
  Clock* const clock_;
  const Check check_;
  Mutex mutex_;
  std::vector<std::string> lines_ ABSL_GUARDED_BY(mutex_);
  Stamp stamp_ ABSL_GUARDED_BY(mutex_);
  bool complained_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Time next_look_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace ipp
