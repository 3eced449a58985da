#include <memory>

#include "kustom/ipp/v1/report.grpc.pb.h"
#include "server/base/error.h"
#include "server/reports/day.h"
#include "server/reports/day_reader.h"
#include "server/rpc/services/services.h"
#include "server/rpc/unary_call.h"
#include "server/store/store_error.h"

namespace ipp::rpc {
namespace {

namespace v1 = kustom::ipp::v1;
using Context = grpc::CallbackServerContext;

void GetDayReportWork(UnaryCall* call, const v1::GetDayReportRequest& request,
                      v1::GetDayReportResponse* response) {
  const absl::StatusOr<reports::Day> day = reports::DayOf(request.day(), request.time_zone());
  if (!day.ok()) return call->Finish(day.status());
  const auto context = call->Upstream();
  if (!context) return;
  reports::ReadDay(call->service().backends.store,
                   {.merchant_id = context->merchant_id,
                    .day = *day,
                    .devices = {request.device_ids().begin(), request.device_ids().end()},
                    .cancelled = [call] { return call->cancelled(); }},
                   response, [call](const absl::Status& status) {
                     const bool of_the_store =
                         !status.ok() && GetErrorDetail(status).reason.empty();
                     call->Finish(of_the_store ? store::ForCallers(status) : status);
                   });
}

class ReportServiceImpl final : public v1::ReportService::CallbackService {
 public:
  explicit ReportServiceImpl(const ServiceContext* service) : service_(*service) {}

  grpc::ServerUnaryReactor* GetDayReport(Context* context, const v1::GetDayReportRequest* request,
                                         v1::GetDayReportResponse* response) override {
    return Serve(service_, context, request, response, &GetDayReportWork);
  }

 private:
  const ServiceContext& service_;
};

}  // namespace

std::unique_ptr<grpc::Service> NewReportService(const ServiceContext* service) {
  return std::make_unique<ReportServiceImpl>(service);
}

}  // namespace ipp::rpc
