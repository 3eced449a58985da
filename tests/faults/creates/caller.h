#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "kustom/ipp/v1/location.grpc.pb.h"
#include "kustom/ipp/v1/outcome.grpc.pb.h"
#include "kustom/ipp/v1/session.grpc.pb.h"
#include "kustom/ipp/v1/session_event.grpc.pb.h"
#include "tests/faults/creates/record.h"

namespace ipp::faults {

// A CreateSession that is under way. One thread; ends with its destructor, which cancels.
class PendingCreate {
 public:
  ~PendingCreate();
  PendingCreate(const PendingCreate&) = delete;
  PendingCreate& operator=(const PendingCreate&) = delete;

  // False: it has not ended within the limit.
  bool Wait(absl::Duration limit) { return ended_.WaitForNotificationWithTimeout(limit); }
  void Cancel() { context_.TryCancel(); }
  // Waits for the end.
  CallerAnswer Answer();

 private:
  friend class Caller;
  PendingCreate() = default;

  grpc::ClientContext context_;
  kustom::ipp::v1::CreateSessionRequest request_;
  kustom::ipp::v1::CreateSessionResponse response_;
  grpc::Status status_;
  absl::Notification ended_;
};

// A service that calls one gateway as one merchant. Everything ends within a deadline. Thread-safe.
class Caller {
 public:
  Caller(const std::string& address, std::string merchant_id);

  std::unique_ptr<PendingCreate> Create(const kustom::ipp::v1::CreateSessionRequest& request,
                                        absl::Duration deadline);
  // A read upstream, so that the connection there has been used.
  absl::Status Warm();
  // `known` is false where the gateway knows no such create.
  absl::StatusOr<ToldOutcome> Outcome(const std::string& request_id);
  // The newest ones.
  absl::StatusOr<std::vector<kustom::ipp::v1::CreateOutcome>> Outcomes(int count);
  absl::StatusOr<kustom::ipp::v1::Session> Read(const std::string& session_id);
  // The stream of a session's events since then, to the terminal one; what came when that does not.
  std::vector<kustom::ipp::v1::SessionEvent> Follow(const std::string& session_id, absl::Time since,
                                                    absl::Duration limit);
  absl::StatusOr<std::vector<kustom::ipp::v1::SessionEvent>> List(const std::string& session_id,
                                                                  absl::Time since);
  // WatchSession by request_id to its end; whether that was OK, and the last state.
  bool Watch(const std::string& request_id, absl::Duration limit, kustom::ipp::v1::Session* last);

 private:
  void Prepare(grpc::ClientContext* context, absl::Duration limit) const;

  const std::string merchant_id_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<kustom::ipp::v1::SessionService::Stub> sessions_;
  std::unique_ptr<kustom::ipp::v1::SessionEventService::Stub> events_;
  std::unique_ptr<kustom::ipp::v1::OutcomeService::Stub> outcomes_;
  std::unique_ptr<kustom::ipp::v1::LocationService::Stub> locations_;
};

}  // namespace ipp::faults
