#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace ipp::faults {

// A directory for one run: configuration, secrets, store, logs. Goes away at the end, unless it is
// to be looked at.
class WorkDirectory {
 public:
  WorkDirectory();
  ~WorkDirectory();
  WorkDirectory(const WorkDirectory&) = delete;
  WorkDirectory& operator=(const WorkDirectory&) = delete;

  const std::string& path() const { return path_; }
  std::string File(absl::string_view name) const;
  // The file's path.
  std::string Write(absl::string_view name, absl::string_view text) const;
  void Keep() { keep_ = true; }

 private:
  // For the suite's scan for secrets.
  void KeepLogs(const std::string& folder) const;

  std::string path_;
  bool keep_ = false;
};

// Empty when it cannot be read.
std::string ReadFile(const std::string& path);
// The end of a log.
std::string LastLines(const std::string& path, int count);

}  // namespace ipp::faults
