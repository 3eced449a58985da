#include "server/sessions/session_owner.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "server/base/trace_context.h"

namespace ipp::sessions {

struct SessionOwner::Search {
  explicit Search(std::shared_ptr<UnderWay> u) : under_way(std::move(u)) {
    MutexLock lock(&under_way->mutex);
    ++under_way->count;
  }
  ~Search() {
    MutexLock lock(&under_way->mutex);
    --under_way->count;
    under_way->changed.SignalAll();
  }

  std::vector<std::string> merchants;
  std::string session_id;
  absl::AnyInvocable<void(absl::StatusOr<std::string>)&&> done = nullptr;
  size_t next = 0;
  absl::Status failed;  // the error of the last merchant that could not be asked; OK: none

  const std::shared_ptr<UnderWay> under_way;

  const std::string& merchant() const { return merchants[next]; }
};

SessionOwner::~SessionOwner() {
  MutexLock lock(&under_way_->mutex);
  while (under_way_->count > 0) under_way_->changed.Wait(&under_way_->mutex);
}

void SessionOwner::Find(std::vector<std::string> merchants, std::string session_id,
                        absl::AnyInvocable<void(absl::StatusOr<std::string>) &&> done) {
  auto search = std::make_unique<Search>(under_way_);
  search->merchants = std::move(merchants);
  search->session_id = std::move(session_id);
  search->done = std::move(done);
  AskStore(std::move(search));
}

void SessionOwner::AskStore(std::unique_ptr<Search> search) {
  if (search->next == search->merchants.size()) {
    search->next = 0;
    return AskUpstream(std::move(search));
  }
  // The arguments are copied, because `search` moves into the callback.
  std::string merchant = search->merchant();
  std::string session = search->session_id;
  store_->FindSession(
      std::move(merchant), std::move(session),
      [this, search = std::move(search)](absl::StatusOr<store::SessionRecord> record) mutable {
        if (record.ok()) return std::move(search->done)(search->merchant());
        if (!absl::IsNotFound(record.status())) {
          return std::move(search->done)(record.status());
        }
        ++search->next;
        AskStore(std::move(search));
      });
}

void SessionOwner::AskUpstream(std::unique_ptr<Search> search) {
  if (search->next == std::min(search->merchants.size(), kMostReads)) {
    absl::Status none = absl::NotFoundError("no merchant that has the key has this session");
    return std::move(search->done)(search->failed.ok() ? std::move(none)
                                                       : std::move(search->failed));
  }
  const std::string merchant = search->merchant();
  const std::string session = search->session_id;
  read_(merchant, session, TraceContext(),
        [this, search = std::move(search)](absl::StatusOr<SessionAnswer> answer) mutable {
          if (answer.ok()) return std::move(search->done)(search->merchant());
          if (!absl::IsNotFound(answer.status())) search->failed = answer.status();
          ++search->next;
          AskUpstream(std::move(search));
        });
}

}  // namespace ipp::sessions
