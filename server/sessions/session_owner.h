#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "server/base/mutex.h"
#include "server/sessions/reconciler.h"
#include "server/store/store.h"

namespace ipp::sessions {

// Finds the merchant of a session when a webhook does not name the merchant and several merchants
// share the key that signed it. Thread-safe. Borrows the store and everything that `read` uses.
class SessionOwner {
 public:
  // `read` reads a session from the upstream with the key of the given merchant.
  SessionOwner(store::Store* store, ReadSession read) : store_(store), read_(std::move(read)) {}
  // Waits for the searches under way; cancel their reads first.
  ~SessionOwner();

  // Asks the store about each merchant in turn. If it does not know the session, asks the upstream,
  // with at most kMostReads reads. `done` runs once, on the calling thread or on a thread of the
  // store or of the reader, with the merchant's id. NOT_FOUND: none of them has the session. Any
  // other error: the answer for one merchant is missing; ask again later.
  void Find(std::vector<std::string> merchants, std::string session_id,
            absl::AnyInvocable<void(absl::StatusOr<std::string>) &&> done);

  static constexpr size_t kMostReads = 16;

 private:
  struct Search;
  // The number of searches under way. Shared with the searches, because the last one may end after
  // the owner is destroyed.
  struct UnderWay {
    Mutex mutex;
    CondVar changed;
    int count ABSL_GUARDED_BY(mutex) = 0;
  };

  void AskStore(std::unique_ptr<Search> search);
  void AskUpstream(std::unique_ptr<Search> search);

  store::Store* const store_;
  const ReadSession read_;
  const std::shared_ptr<UnderWay> under_way_ = std::make_shared<UnderWay>();
};

}  // namespace ipp::sessions
