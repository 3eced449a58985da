#include "server/sessions/read_observer.h"

#include <functional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/log.h"

namespace ipp::sessions {

void ReadObserver::Observe(const std::string& merchant_id, const kustom::ipp::v1::Session& session,
                           const std::string& request_id) {
  if (session.session_id().empty() ||
      session.status() == kustom::ipp::v1::SESSION_STATUS_UNSPECIFIED) {
    return;
  }
  std::string key = absl::StrCat(merchant_id, "/", session.session_id());
  thread_local std::string bytes;
  if (!session.SerializeToString(&bytes)) return;
  const size_t digest = std::hash<std::string>()(bytes);
  {
    MutexLock lock(&mutex_);
    if (last_.size() >= capacity_) last_.clear();
    size_t& last = last_[key];
    if (last == digest || in_flight_ >= max_in_flight_) return;
    last = digest;
    ++in_flight_;
  }
  SessionUpdate update;
  update.source = kustom::ipp::v1::SESSION_EVENT_SOURCE_API;
  update.merchant_id = merchant_id;
  update.session_id = session.session_id();
  update.session = session;
  update.request_id = request_id;
  update.overheard = true;
  recorder_->Record(std::move(update),
                    [this, key = std::move(key)](absl::StatusOr<Recorded> recorded) {
                      {
                        MutexLock lock(&mutex_);
                        --in_flight_;
                        if (!recorded.ok()) last_.erase(key);
                      }
                      if (recorded.ok()) return;
                      LogWarning("a read of a session could not be recorded",
                                 {{"session", key}, {"status", recorded.status().ToString()}});
                    });
}

}  // namespace ipp::sessions
