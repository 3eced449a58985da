#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace ipp::store {

// Says that a file belongs to this process: a flock on a file beside it. The kernel takes it back
// when the process ends in whatever way. The lock's file stays, empty.
class FileLock {
 public:
  // FAILED_PRECONDITION when somebody else has it.
  static absl::StatusOr<std::unique_ptr<FileLock>> Acquire(const std::string& path);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  explicit FileLock(int fd) : fd_(fd) {}
  const int fd_;
};

}  // namespace ipp::store
