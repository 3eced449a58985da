#pragma once

#include <cstddef>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "server/base/mutex.h"
#include "server/sessions/session_recorder.h"

namespace ipp::sessions {

// Records sessions that callers read. Most reads repeat what the read before returned; those are
// recognised in memory and cost the store nothing. Thread-safe. It must outlive the callbacks of
// the store.
class ReadObserver {
 public:
  explicit ReadObserver(SessionRecorder* recorder, size_t capacity = 65536,
                        size_t max_in_flight = 1024)
      : recorder_(recorder), capacity_(capacity), max_in_flight_(max_in_flight) {}

  // Records what a caller read, unless the previous read of the session returned the same. No
  // caller waits for the result, so only `max_in_flight` limits the writes that wait for a slow
  // disk. A read beyond that limit, or one that cannot be written now, is dropped; a later read
  // records it. A session without an id or a status is ignored. `request_id`: of the create that
  // made the session, if known.
  void Observe(const std::string& merchant_id, const kustom::ipp::v1::Session& session,
               const std::string& request_id = "");

 private:
  SessionRecorder* const recorder_;
  const size_t capacity_;  // cleared when full: a session is then only written once more
  const size_t max_in_flight_;
  Mutex mutex_;
  size_t in_flight_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::flat_hash_map<std::string, size_t> last_ ABSL_GUARDED_BY(mutex_);  // session → digest
};

}  // namespace ipp::sessions
