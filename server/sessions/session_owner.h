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

// Finds the merchant of a session when a webhook does not name it and several merchants share the
// key that signed the webhook. Thread-safe. Borrows the store, and what `read` uses.
class SessionOwner {
 public:
  // `read` reads a session from the upstream, as one of the merchants.
  SessionOwner(store::Store* store, ReadSession read) : store_(store), read_(std::move(read)) {}
  // Waits for the searches that are under way: cancel their reads before.
  ~SessionOwner();

  // Asks the store about each merchant in turn; when it does not know the session, the upstream,
  // about at most kMostReads of them. `done` runs once, here or on a thread of the store or of the
  // reader, with the merchant's id; NOT_FOUND: none of them has the session; any other error: one
  // could not be asked, so ask again later.
  void Find(std::vector<std::string> merchants, std::string session_id,
            absl::AnyInvocable<void(absl::StatusOr<std::string>) &&> done);

  static constexpr size_t kMostReads = 16;

 private:
  struct Search;
  // How many searches are under way. Theirs too, since the last one ends after the owner may go.
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
