#pragma once

#include <cstddef>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "server/base/mutex.h"
#include "server/sessions/session_recorder.h"

namespace ipp::sessions {

// Sessions that callers read are news too, but rarely: most reads tell what the last one told.
// Those are recognised in memory and cost the store nothing. Thread-safe; outlives the store's
// callbacks.
class ReadObserver {
 public:
  explicit ReadObserver(SessionRecorder* recorder, size_t capacity = 65536,
                        size_t max_in_flight = 1024)
      : recorder_(recorder), capacity_(capacity), max_in_flight_(max_in_flight) {}

  // Writes down what a caller read, unless the read before told the same. Nobody waits for it, so
  // nothing but `max_in_flight` bounds what waits for a slow disk: what comes on top, and what
  // cannot be written now, is written by a later read. A session without an id or a status is
  // ignored.
  // `request_id`: of the create that made it, when that can be told.
  void Observe(const std::string& merchant_id, const kustom::ipp::v1::Session& session,
               const std::string& request_id = "");

 private:
  SessionRecorder* const recorder_;
  const size_t capacity_;  // when full it starts again: what is forgotten is only written once more
  const size_t max_in_flight_;
  Mutex mutex_;
  size_t in_flight_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::flat_hash_map<std::string, size_t> last_ ABSL_GUARDED_BY(mutex_);  // session → digest
};

}  // namespace ipp::sessions
