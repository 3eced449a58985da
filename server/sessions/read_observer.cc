#include "server/sessions/read_observer.h"

#include <functional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/log.h"

namespace ipp::sessions {

void ReadObserver::Observe(News news) {
  if (!news.session || news.session->session_id().empty() ||
      news.session->status() == kustom::ipp::v1::SESSION_STATUS_UNSPECIFIED) {
    return;
  }
  news.overheard = true;
  std::string key = absl::StrCat(news.merchant_id, "/", news.session_id);
  const size_t digest = std::hash<std::string>()(news.session->SerializeAsString());
  {
    MutexLock lock(&mutex_);
    if (last_.size() >= capacity_) last_.clear();
    size_t& last = last_[key];
    if (last == digest) return;
    last = digest;
  }
  book_->Record(std::move(news), [this, key = std::move(key)](absl::StatusOr<Verdict> verdict) {
    if (verdict.ok()) return;
    LogWarning("a read of a session could not be recorded",
               {{"session", key}, {"status", verdict.status().ToString()}});
    MutexLock lock(&mutex_);
    last_.erase(key);
  });
}

}  // namespace ipp::sessions
