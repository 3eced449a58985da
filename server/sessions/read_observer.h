#pragma once

#include <cstddef>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "server/base/mutex.h"
#include "server/sessions/session_book.h"

namespace ipp::sessions {

// Sessions that callers read are news too, but rarely: most reads tell what the last one told.
// Those are recognised in memory and cost the store nothing. Thread-safe; outlives the store's
// callbacks.
class ReadObserver {
 public:
  explicit ReadObserver(SessionBook* book, size_t capacity = 65536)
      : book_(book), capacity_(capacity) {}

  // Writes down what a caller read, unless the read before told the same. Nobody waits for it; what
  // cannot be written now is written by a later read. A session without an id or a status is
  // ignored.
  void Observe(const std::string& merchant_id, const kustom::ipp::v1::Session& session);

 private:
  SessionBook* const book_;
  const size_t capacity_;  // when full it starts again: what is forgotten is only written once more
  Mutex mutex_;
  absl::flat_hash_map<std::string, size_t> last_ ABSL_GUARDED_BY(mutex_);  // session → digest
};

}  // namespace ipp::sessions
