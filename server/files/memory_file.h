#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace ipp::files {

// A file in this process's memory, for libraries that read a file by its path whenever they like:
// what they find is always what the gateway has checked. Thread-safe.
class MemoryFile {
 public:
  // RESOURCE_EXHAUSTED if the kernel gives none, or /proc is not there, in which its path is.
  static absl::StatusOr<MemoryFile> Make(absl::string_view text);

  MemoryFile(MemoryFile&& other) noexcept;
  MemoryFile& operator=(MemoryFile&&) = delete;
  ~MemoryFile();

  // Valid in this process, while this lives.
  std::string path() const;
  // Puts another content in the place of the old one, whole and at once: who has opened the path
  // reads the old content to its end. If it fails, the old content stays.
  absl::Status Replace(absl::string_view text) const;

 private:
  explicit MemoryFile(int fd) : fd_(fd) {}

  int fd_;
};

}  // namespace ipp::files
