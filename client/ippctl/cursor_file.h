#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace ipp::ippctl {

// A bookmark in the event log: a file that holds one cursor. Each Keep replaces the file
// atomically, so a reader sees a complete cursor, even when the process is killed. It is not synced
// to the disk: after a crash of the machine it may hold an earlier cursor.
class CursorFile {
 public:
  // With an empty `path` nothing is stored.
  explicit CursorFile(std::string path) : path_(std::move(path)) {}

  // Returns an empty string when there is no file yet. FAILED_PRECONDITION when it holds no cursor:
  // beginning anywhere else would silently lose events.
  absl::StatusOr<std::string> Read() const;
  absl::Status Keep(absl::string_view cursor);

 private:
  const std::string path_;
};

}  // namespace ipp::ippctl
