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

// A secret that is stored in a file and may be replaced while the process runs. Thread-safe. The
// value never appears in an error.
class SecretFile {
 public:
  // Decides whether the lines can be used. Its error must never quote them.
  using Check = absl::Status (*)(const std::vector<std::string>& lines);

  // Reads the file. NOT_FOUND or FAILED_PRECONDITION, naming the path, if the file is missing,
  // empty or larger than 64 KiB, or if `check` refuses the lines.
  static absl::StatusOr<std::unique_ptr<SecretFile>> Open(std::string path, Clock* clock,
                                                          Check check = nullptr);

  // The lines of the file, without surrounding white space, empty lines, and lines that begin with
  // '#'. Checks the file at most once a second and reads it again if it has changed (time, size or
  // inode: Kubernetes swaps a symlink). If the new content cannot be read, is empty, or is refused
  // by the check, the old value stays in use and the problem is logged once.
  // The same object until they change; never null.
  using Lines = std::shared_ptr<const std::vector<std::string>>;
  Lines lines();
  // Reads the file now, even if it looks unchanged. On an error, which names the path, the old
  // value stays in use.
  absl::Status Reread();
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
  Lines lines_ ABSL_GUARDED_BY(mutex_);
  Stamp stamp_ ABSL_GUARDED_BY(mutex_);
  bool complained_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Time next_look_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace ipp
