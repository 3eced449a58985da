#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace ipp::store {

// Gives one process exclusive use of a file: an flock on a lock file beside it. The kernel releases
// the lock when the process ends, however it ends. The empty lock file stays.
class FileLock {
 public:
  // FAILED_PRECONDITION when another process holds the lock.
  static absl::StatusOr<std::unique_ptr<FileLock>> Acquire(const std::string& path);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  const int fd_;
};

}  // namespace ipp::store
