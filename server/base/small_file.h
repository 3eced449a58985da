#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace ipp {

// What tells one content of a file from another without reading it. Kubernetes replaces files by
// swapping a symbolic link, so the inode counts as well.
struct FileStamp {
  int64_t modified_ns = 0;
  int64_t size = 0;
  uint64_t inode = 0;
  bool operator==(const FileStamp&) const = default;
};

// Follows symbolic links. NOT_FOUND or FAILED_PRECONDITION with the path if the file is not there
// or cannot be looked at.
absl::StatusOr<FileStamp> StampOf(const std::string& path);

struct FileContent {
  std::string text;  // without a byte order mark of UTF-8
  FileStamp stamp;   // of what was read
};

// Reads a regular file as a whole. NOT_FOUND or FAILED_PRECONDITION, with the path and never with
// the content, if it is missing, cannot be read, is no regular file, is larger than `max_bytes` (a
// multiple of 1024), or is UTF-16. Never waits for the other end of a named pipe.
absl::StatusOr<FileContent> ReadSmallFile(const std::string& path, size_t max_bytes);

}  // namespace ipp
