#include <algorithm>
#include <any>
#include <iterator>
#include <utility>
#include <vector>

#include "server/base/status_macros.h"
#include "server/store/queued_store.h"

// The changes of shared subscriptions of QueuedStore.
namespace ipp::store {

void QueuedStore::DoShared(std::vector<SharedCall> changes, absl::Status trouble) {
  // Replicas take the locks of several subscriptions in one order, so that none waits for another
  // that waits for it. The order of the calls for one subscription stays.
  std::stable_sort(changes.begin(), changes.end(), [](const SharedCall& a, const SharedCall& b) {
    return a.change.id < b.change.id;
  });
  auto next = changes.begin();
  while (next != changes.end()) {
    if (!trouble.ok()) {
      WriteCall left = std::move(*next++);
      Fail(left, trouble);
      continue;
    }
    // A change without an id is alone; the others are together.
    const auto end = next->change.id == 0 ? next + 1 : changes.end();
    std::vector<SharedCall> batch(std::make_move_iterator(next), std::make_move_iterator(end));
    next = end;
    trouble = CommitShared(std::move(batch));
  }
}

absl::Status QueuedStore::CommitShared(std::vector<SharedCall> batch) {
  std::vector<std::any> results(batch.size());
  const absl::Status done = writer_->InShared(Now(), [&](SharedTables& tables) -> absl::Status {
    for (size_t i = 0; i < batch.size(); ++i) {
      IPP_ASSIGN_OR_RETURN(results[i], batch[i].change.work(tables));
    }
    return absl::OkStatus();
  });
  const bool its_own = IsItsOwn(done);
  if (its_own && batch.size() > 1) {
    // One of them can never be written: each alone, so that only that one fails.
    absl::Status trouble;
    for (SharedCall& call : batch) {
      if (trouble.ok()) {
        std::vector<SharedCall> alone;
        alone.push_back(std::move(call));
        trouble = CommitShared(std::move(alone));
      } else {
        WriteCall left = std::move(call);
        Fail(left, trouble);
      }
    }
    return trouble;
  }
  absl::Status trouble = its_own ? absl::OkStatus() : done;
  SetHealth(trouble);
  if (!done.ok()) {
    for (SharedCall& call : batch) {
      WriteCall failed = std::move(call);
      Fail(failed, done);
    }
    return trouble;
  }
  answers_.Push([batch = std::move(batch), results = std::move(results)]() mutable {
    for (size_t i = 0; i < batch.size(); ++i) std::move(batch[i].done)(std::move(results[i]));
  });
  return absl::OkStatus();
}

}  // namespace ipp::store
