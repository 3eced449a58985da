#pragma once

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/base/metrics.h"
#include "server/base/mutex.h"
#include "server/base/small_file.h"

namespace ipp::files {

// Files that are used together and may be replaced while the process runs, such as a certificate
// and its key. For one thread.
class WatchedFiles {
 public:
  struct Options {
    std::string name;  // the configuration's key, for the log
    std::vector<std::string> paths;
    // Reads the files, checks them, and puts them to use. If it fails, what was in use stays so.
    // Its error names the file, never the content. Called by LookAgain() alone.
    std::function<absl::Status()> take;
    Gauge* refused = nullptr;  // increased while the newest content is refused
  };
  // The files have just been taken.
  explicit WatchedFiles(Options options);

  // Takes the files again if one has changed, or if the last attempt failed: a certificate that is
  // not valid yet becomes so. The log has a line for each change, and for each other reason why a
  // change cannot be used. Returns why the newest content is not in use; OK if it is.
  absl::Status LookAgain();

 private:
  std::vector<FileStamp> Stamps() const;

  const Options options_;
  std::vector<FileStamp> seen_;
  absl::Status refusal_;  // OK while the newest content is in use
};

// Runs a function again and again on a thread of its own ("files"), since a file system may block.
// The destructor waits for a run under way.
class FileWatch {
 public:
  FileWatch(absl::Duration interval, std::function<void()> look);
  ~FileWatch();
  FileWatch(const FileWatch&) = delete;
  FileWatch& operator=(const FileWatch&) = delete;

 private:
  void Run();

  const absl::Duration interval_;
  const std::function<void()> look_;
  Mutex mutex_;
  CondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace ipp::files
