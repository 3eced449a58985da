#pragma once

#include <string>

#include "absl/status/status.h"
#include "kustom/ipp/v1/device.pb.h"
#include "kustom/ipp/v1/enrollment.pb.h"
#include "kustom/ipp/v1/location.pb.h"
#include "kustom/ipp/v1/outcome.pb.h"
#include "kustom/ipp/v1/report.pb.h"
#include "kustom/ipp/v1/session.pb.h"
#include "kustom/ipp/v1/session_event.pb.h"
#include "kustom/ipp/v1/session_history.pb.h"
#include "kustom/ipp/v1/shared_subscription.pb.h"
#include "kustom/ipp/v1/simulation.pb.h"

// Rejects requests that are invalid without asking the upstream, before anything is sent:
// INVALID_ARGUMENT with every violation. The rules are those that the upstream documents; a limit
// that is not documented is not checked here.
namespace ipp::rpc {

absl::Status Validate(const kustom::ipp::v1::ListDevicesRequest& request);
absl::Status Validate(const kustom::ipp::v1::GetDeviceRequest& request);
absl::Status Validate(const kustom::ipp::v1::UpdateDeviceRequest& request);
absl::Status Validate(const kustom::ipp::v1::DeleteDeviceRequest& request);
absl::Status Validate(const kustom::ipp::v1::CreateEnrollmentRequest& request);
absl::Status Validate(const kustom::ipp::v1::ListEnrollmentsRequest& request);
absl::Status Validate(const kustom::ipp::v1::DeleteEnrollmentRequest& request);
absl::Status Validate(const kustom::ipp::v1::ListLocationsRequest& request);
absl::Status Validate(const kustom::ipp::v1::GetLocationRequest& request);
absl::Status Validate(const kustom::ipp::v1::CreateSessionRequest& request);
absl::Status Validate(const kustom::ipp::v1::GetSessionRequest& request);
absl::Status Validate(const kustom::ipp::v1::CancelSessionRequest& request);
absl::Status Validate(const kustom::ipp::v1::WatchSessionRequest& request);
absl::Status Validate(const kustom::ipp::v1::SubscribeSessionEventsRequest& request);
absl::Status Validate(const kustom::ipp::v1::ListSessionEventsRequest& request);
absl::Status Validate(const kustom::ipp::v1::CreateSharedSubscriptionRequest& request);
absl::Status Validate(const kustom::ipp::v1::GetSharedSubscriptionRequest& request);
absl::Status Validate(const kustom::ipp::v1::ListSharedSubscriptionsRequest& request);
absl::Status Validate(const kustom::ipp::v1::DeleteSharedSubscriptionRequest& request);
absl::Status Validate(const kustom::ipp::v1::ReceiveSessionEventsRequest& request);
absl::Status Validate(const kustom::ipp::v1::SettleSessionEventsRequest& request);
absl::Status Validate(const kustom::ipp::v1::ListParkedSessionEventsRequest& request);
absl::Status Validate(const kustom::ipp::v1::RedriveSessionEventsRequest& request);
absl::Status Validate(const kustom::ipp::v1::DeleteParkedSessionEventsRequest& request);
absl::Status Validate(const kustom::ipp::v1::GetCreateOutcomeRequest& request);
absl::Status Validate(const kustom::ipp::v1::ListCreateOutcomesRequest& request);
absl::Status Validate(const kustom::ipp::v1::ListSessionsRequest& request);
absl::Status Validate(const kustom::ipp::v1::GetSessionHistoryRequest& request);
absl::Status Validate(const kustom::ipp::v1::GetDayReportRequest& request);
absl::Status Validate(const kustom::ipp::v1::CreateSimulatedDeviceRequest& request);
absl::Status Validate(const kustom::ipp::v1::SimulateCardTapRequest& request);

}  // namespace ipp::rpc
