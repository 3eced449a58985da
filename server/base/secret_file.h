#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/base/metrics.h"
#include "server/base/mutex.h"
#include "server/base/small_file.h"

namespace ipp {

// A secret that is stored in a file and may be replaced while the process runs. Thread-safe. The
// value never appears in an error.
class SecretFile {
 public:
  // Decides whether the lines can be used. Its error must never quote them.
  using Check = absl::Status (*)(const std::vector<std::string>& lines);

  // Reads the file. NOT_FOUND or FAILED_PRECONDITION, naming the path, if the file is missing,
  // empty or larger than 64 KiB, or if `check` refuses the lines. `refused` is increased while the
  // newest content of the file is refused; it counts the files of one kind, and must outlive this.
  static absl::StatusOr<std::unique_ptr<SecretFile>> Open(std::string path, Clock* clock,
                                                          Check check = nullptr,
                                                          Gauge* refused = nullptr);

  // The lines of the file, without surrounding white space, empty lines, lines that begin with '#',
  // and a byte order mark. Checks the file at most once a second and reads it again if it has
  // changed. If the new content cannot be read, is empty, or is refused by the check, all of the
  // old value stays in use, and the log has one line for each such change.
  // The same object until they change; never null.
  using Lines = std::shared_ptr<const std::vector<std::string>>;
  Lines lines();
  // The first line.
  std::string value();
  // Reads the file now, also if it was looked at a moment ago or seems unchanged. Returns why its
  // newest content is not in use; OK if it is.
  absl::Status LookAgain();
  const std::string& path() const { return path_; }

 private:
  SecretFile(std::string path, Clock* clock, Check check, Gauge* refused)
      : path_(std::move(path)), clock_(clock), check_(check), refused_files_(refused) {}
  absl::Status Load() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Look(bool whole) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string path_;
  Clock* const clock_;
  const Check check_;
  Gauge* const refused_files_;
  Mutex mutex_;
  Lines lines_ ABSL_GUARDED_BY(mutex_);
  // Of the content that was read last, whether it is in use or was refused. Empty if the file could
  // not be read: what stands in the way may go without changing the file.
  FileStamp seen_ ABSL_GUARDED_BY(mutex_);
  absl::Status refusal_ ABSL_GUARDED_BY(mutex_);  // OK while the newest content is in use
  absl::Time next_look_ ABSL_GUARDED_BY(mutex_);
};

// Checks one line that is sent or compared as it stands: an API key, a digest, a webhook secret.
// INVALID_ARGUMENT that says what a person has probably pasted with it ("is in quotes"), never the
// text.
absl::Status CheckSecretText(absl::string_view text);

}  // namespace ipp
