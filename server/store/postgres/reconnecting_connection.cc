#include "server/store/postgres/reconnecting_connection.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "server/base/log.h"
#include "server/base/status_macros.h"

namespace ipp::store {
namespace {

using std::chrono::steady_clock;

}  // namespace

absl::StatusOr<PostgresConnection*> ReconnectingConnection::Get(InPause in_pause) {
  if (connection_ != nullptr) return connection_.get();
  if (failures_ > 0) {
    const auto pause = next_try_ - steady_clock::now();
    if (in_pause == InPause::kFail && pause.count() > 0) return last_failure_;
    if (!options_.stop->Sleep(pause)) return absl::CancelledError("the store is being closed");
  }
  if (absl::Status made = Make(); !made.ok()) {
    connection_.reset();
    if (!absl::IsCancelled(made)) PauseAfter(made);
    return made;
  }
  return connection_.get();
}

absl::StatusOr<std::vector<PostgresTarget>> ReconnectingConnection::Targets() {
  absl::StatusOr<std::vector<PostgresTarget>> read = ReadTargets(options_.files, options_.role);
  const bool refused_before = std::exchange(files_refused_, !read.ok());
  if (read.ok()) {
    targets_ = *read;
  } else if (targets_.empty()) {
    return read;
  } else if (!refused_before) {
    LogWarning("store: the files that say how to connect cannot be used; what they held is kept",
               {{"connection", options_.name}, {"error", std::string(read.status().message())}});
  }
  return targets_;
}

absl::Status ReconnectingConnection::Make() {
  IPP_ASSIGN_OR_RETURN(const std::vector<PostgresTarget> targets, Targets());
  IPP_ASSIGN_OR_RETURN(connection_,
                       PostgresConnection::Open(targets, options_.grace, options_.stop.get()));
  IPP_RETURN_IF_ERROR(options_.set_up(*connection_));
  if (made_before_) options_.reconnects->Add();
  made_before_ = true;
  return absl::OkStatus();
}

void ReconnectingConnection::Worked() {
  if (failures_ > 0) LogInfo("store connection works again", {{"connection", options_.name}});
  failures_ = 0;
  backoff_.Reset();
}

void ReconnectingConnection::Drop(const absl::Status& why) {
  connection_.reset();
  // The first loss after the connection worked causes no pause: a server that restarted is
  // available again.
  if (failures_ == 0 && !absl::IsCancelled(why)) {
    LogWarning("store connection lost",
               {{"connection", options_.name}, {"error", std::string(why.message())}});
  }
  PauseAfter(why);
}

void ReconnectingConnection::PauseAfter(const absl::Status& failure) {
  last_failure_ = failure;
  const absl::Duration pause = failures_ == 0 ? absl::ZeroDuration() : backoff_.Next();
  next_try_ = steady_clock::now() + absl::ToChronoNanoseconds(pause);
  ++failures_;
}

}  // namespace ipp::store
