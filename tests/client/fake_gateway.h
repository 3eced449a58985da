#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "kustom/ipp/v1/device.grpc.pb.h"
#include "kustom/ipp/v1/enrollment.grpc.pb.h"
#include "kustom/ipp/v1/location.grpc.pb.h"
#include "kustom/ipp/v1/outcome.grpc.pb.h"
#include "kustom/ipp/v1/report.grpc.pb.h"
#include "kustom/ipp/v1/session.grpc.pb.h"
#include "kustom/ipp/v1/session_event.grpc.pb.h"
#include "kustom/ipp/v1/session_history.grpc.pb.h"
#include "kustom/ipp/v1/simulation.grpc.pb.h"
#include "server/base/error.h"
#include "server/base/error_details.pb.h"

namespace ipp::client {

namespace v1 = ::kustom::ipp::v1;

// What a test makes a method answer. Not set: UNIMPLEMENTED.
template <typename Request, typename Response>
using Answer = std::function<grpc::Status(grpc::ServerContext*, const Request&, Response*)>;

template <typename Request, typename Response>
grpc::Status Reply(const Answer<Request, Response>& answer, grpc::ServerContext* context,
                   const Request* request, Response* response) {
  if (!answer) return grpc::Status(grpc::StatusCode::UNIMPLEMENTED, "not scripted");
  return answer(context, *request, response);
}

struct FakeDevices final : v1::DeviceService::Service {
  Answer<v1::ListDevicesRequest, v1::ListDevicesResponse> list;
  Answer<v1::GetDeviceRequest, v1::GetDeviceResponse> get;
  Answer<v1::UpdateDeviceRequest, v1::UpdateDeviceResponse> update;
  Answer<v1::DeleteDeviceRequest, v1::DeleteDeviceResponse> erase;

  grpc::Status ListDevices(grpc::ServerContext* c, const v1::ListDevicesRequest* q,
                           v1::ListDevicesResponse* p) override {
    return Reply(list, c, q, p);
  }
  grpc::Status GetDevice(grpc::ServerContext* c, const v1::GetDeviceRequest* q,
                         v1::GetDeviceResponse* p) override {
    return Reply(get, c, q, p);
  }
  grpc::Status UpdateDevice(grpc::ServerContext* c, const v1::UpdateDeviceRequest* q,
                            v1::UpdateDeviceResponse* p) override {
    return Reply(update, c, q, p);
  }
  grpc::Status DeleteDevice(grpc::ServerContext* c, const v1::DeleteDeviceRequest* q,
                            v1::DeleteDeviceResponse* p) override {
    return Reply(erase, c, q, p);
  }
};

struct FakeEnrollments final : v1::EnrollmentService::Service {
  Answer<v1::CreateEnrollmentRequest, v1::CreateEnrollmentResponse> create;
  Answer<v1::ListEnrollmentsRequest, v1::ListEnrollmentsResponse> list;
  Answer<v1::DeleteEnrollmentRequest, v1::DeleteEnrollmentResponse> erase;

  grpc::Status CreateEnrollment(grpc::ServerContext* c, const v1::CreateEnrollmentRequest* q,
                                v1::CreateEnrollmentResponse* p) override {
    return Reply(create, c, q, p);
  }
  grpc::Status ListEnrollments(grpc::ServerContext* c, const v1::ListEnrollmentsRequest* q,
                               v1::ListEnrollmentsResponse* p) override {
    return Reply(list, c, q, p);
  }
  grpc::Status DeleteEnrollment(grpc::ServerContext* c, const v1::DeleteEnrollmentRequest* q,
                                v1::DeleteEnrollmentResponse* p) override {
    return Reply(erase, c, q, p);
  }
};

struct FakeLocations final : v1::LocationService::Service {
  Answer<v1::ListLocationsRequest, v1::ListLocationsResponse> list;
  Answer<v1::GetLocationRequest, v1::GetLocationResponse> get;

  grpc::Status ListLocations(grpc::ServerContext* c, const v1::ListLocationsRequest* q,
                             v1::ListLocationsResponse* p) override {
    return Reply(list, c, q, p);
  }
  grpc::Status GetLocation(grpc::ServerContext* c, const v1::GetLocationRequest* q,
                           v1::GetLocationResponse* p) override {
    return Reply(get, c, q, p);
  }
};

struct FakeOutcomes final : v1::OutcomeService::Service {
  Answer<v1::GetCreateOutcomeRequest, v1::GetCreateOutcomeResponse> get;
  Answer<v1::ListCreateOutcomesRequest, v1::ListCreateOutcomesResponse> list;

  grpc::Status GetCreateOutcome(grpc::ServerContext* c, const v1::GetCreateOutcomeRequest* q,
                                v1::GetCreateOutcomeResponse* p) override {
    return Reply(get, c, q, p);
  }
  grpc::Status ListCreateOutcomes(grpc::ServerContext* c, const v1::ListCreateOutcomesRequest* q,
                                  v1::ListCreateOutcomesResponse* p) override {
    return Reply(list, c, q, p);
  }
};

struct FakeHistory final : v1::SessionHistoryService::Service {
  Answer<v1::ListSessionsRequest, v1::ListSessionsResponse> list;
  Answer<v1::GetSessionHistoryRequest, v1::GetSessionHistoryResponse> get;

  grpc::Status ListSessions(grpc::ServerContext* c, const v1::ListSessionsRequest* q,
                            v1::ListSessionsResponse* p) override {
    return Reply(list, c, q, p);
  }
  grpc::Status GetSessionHistory(grpc::ServerContext* c, const v1::GetSessionHistoryRequest* q,
                                 v1::GetSessionHistoryResponse* p) override {
    return Reply(get, c, q, p);
  }
};

struct FakeReports final : v1::ReportService::Service {
  Answer<v1::GetDayReportRequest, v1::GetDayReportResponse> day;

  grpc::Status GetDayReport(grpc::ServerContext* c, const v1::GetDayReportRequest* q,
                            v1::GetDayReportResponse* p) override {
    return Reply(day, c, q, p);
  }
};

struct FakeSessions final : v1::SessionService::Service {
  Answer<v1::CreateSessionRequest, v1::CreateSessionResponse> create;
  Answer<v1::GetSessionRequest, v1::GetSessionResponse> get;
  Answer<v1::CancelSessionRequest, v1::CancelSessionResponse> cancel;
  std::function<grpc::Status(const v1::WatchSessionRequest&,
                             grpc::ServerWriter<v1::WatchSessionResponse>*)>
      watch;

  grpc::Status CreateSession(grpc::ServerContext* c, const v1::CreateSessionRequest* q,
                             v1::CreateSessionResponse* p) override {
    return Reply(create, c, q, p);
  }
  grpc::Status GetSession(grpc::ServerContext* c, const v1::GetSessionRequest* q,
                          v1::GetSessionResponse* p) override {
    return Reply(get, c, q, p);
  }
  grpc::Status CancelSession(grpc::ServerContext* c, const v1::CancelSessionRequest* q,
                             v1::CancelSessionResponse* p) override {
    return Reply(cancel, c, q, p);
  }
  grpc::Status WatchSession(grpc::ServerContext*, const v1::WatchSessionRequest* q,
                            grpc::ServerWriter<v1::WatchSessionResponse>* writer) override {
    return watch ? watch(*q, writer) : grpc::Status(grpc::StatusCode::UNIMPLEMENTED, "");
  }
};

struct FakeSimulation final : v1::SimulationService::Service {
  Answer<v1::CreateSimulatedDeviceRequest, v1::CreateSimulatedDeviceResponse> device;
  Answer<v1::SimulateCardTapRequest, v1::SimulateCardTapResponse> tap;

  grpc::Status CreateSimulatedDevice(grpc::ServerContext* c,
                                     const v1::CreateSimulatedDeviceRequest* q,
                                     v1::CreateSimulatedDeviceResponse* p) override {
    return Reply(device, c, q, p);
  }
  grpc::Status SimulateCardTap(grpc::ServerContext* c, const v1::SimulateCardTapRequest* q,
                               v1::SimulateCardTapResponse* p) override {
    return Reply(tap, c, q, p);
  }
};

// Every service but the events, on a free port of the loopback. Set the answers before the first
// call.
class FakeGateway {
 public:
  // `events`: the last service, when the test needs it; must outlive this.
  explicit FakeGateway(grpc::Service* events = nullptr) {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    for (grpc::Service* service :
         {static_cast<grpc::Service*>(&devices), static_cast<grpc::Service*>(&enrollments),
          static_cast<grpc::Service*>(&locations), static_cast<grpc::Service*>(&outcomes),
          static_cast<grpc::Service*>(&sessions), static_cast<grpc::Service*>(&simulation),
          static_cast<grpc::Service*>(&history), static_cast<grpc::Service*>(&reports)}) {
      builder.RegisterService(service);
    }
    if (events != nullptr) builder.RegisterService(events);
    server_ = builder.BuildAndStart();
    address_ = absl::StrCat("127.0.0.1:", port);
  }
  ~FakeGateway() { server_->Shutdown(); }

  const std::string& address() const { return address_; }

  FakeDevices devices;
  FakeEnrollments enrollments;
  FakeLocations locations;
  FakeOutcomes outcomes;
  FakeSessions sessions;
  FakeSimulation simulation;
  FakeHistory history;
  FakeReports reports;

 private:
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

// A status as the gateway sends it, from a rich absl::Status (see server/base/error.h).
inline grpc::Status GatewayError(const absl::Status& status) {
  google::rpc::Status details;
  details.set_code(static_cast<int>(status.code()));
  details.set_message(std::string(status.message()));
  status.ForEachPayload([&details](absl::string_view url, const absl::Cord& payload) {
    google::protobuf::Any* any = details.add_details();
    any->set_type_url(std::string(url));
    any->set_value(std::string(payload));
  });
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), std::string(status.message()),
                      details.SerializeAsString());
}

}  // namespace ipp::client
