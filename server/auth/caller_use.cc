#include "server/auth/caller_use.h"

#include "absl/strings/str_cat.h"
#include "server/base/error.h"

namespace ipp::auth {
namespace {

absl::Status TooMuch(const char* scope, int limit, absl::Duration wait) {
  return MakeError(absl::StatusCode::kResourceExhausted,
                   absl::StrCat("this caller's limit is reached: ", limit, " ", scope),
                   {.reason = "CALLER_LIMIT",
                    .metadata = {{"outcome", std::string(OutcomeName(Outcome::kNotSent))},
                                 {"retry_safe", "true"},
                                 {"scope", scope},
                                 {"limit", absl::StrCat(limit)}},
                    .retry_after = wait});
}

}  // namespace

absl::Status CallerUse::TakeToken(absl::Duration now) {
  if (limits_.requests_per_second == 0 || requests_.Take(now)) return absl::OkStatus();
  return TooMuch("requests_per_second", limits_.requests_per_second, requests_.Wait(now));
}

absl::Status CallerUse::BeginStream(absl::Duration now) {
  MutexLock lock(&mutex_);
  return TakeToken(now);
}

absl::Status CallerUse::BeginCall(absl::Duration now) {
  MutexLock lock(&mutex_);
  if (limits_.in_flight > 0 && in_flight_ >= limits_.in_flight) {
    return TooMuch("in_flight", limits_.in_flight, absl::Milliseconds(100));
  }
  if (absl::Status status = TakeToken(now); !status.ok()) return status;
  ++in_flight_;
  return absl::OkStatus();
}

void CallerUse::EndCall() {
  MutexLock lock(&mutex_);
  --in_flight_;
}

}  // namespace ipp::auth
