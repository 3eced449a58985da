// Forbidden by who asks.

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "google/protobuf/descriptor.h"
#include "kustom/ipp/v1/annotations.pb.h"
#include "kustom/ipp/v1/device.pb.h"
#include "kustom/ipp/v1/outcome.pb.h"
#include "kustom/ipp/v1/report.grpc.pb.h"
#include "kustom/ipp/v1/session_history.grpc.pb.h"
#include "kustom/ipp/v1/simulation.pb.h"
#include "tests/integration/forbidden_rows.h"

namespace ipp {
namespace {

namespace v1 = kustom::ipp::v1;
using Row = ForbiddenRow;
using google::protobuf::MethodDescriptor;

std::vector<const MethodDescriptor*> AllRpcs() {
  std::vector<const MethodDescriptor*> rpcs;
  for (const char* name : {"Device", "Enrollment", "Location", "Outcome", "Report", "Session",
                           "SessionEvent", "SessionHistory", "Simulation"}) {
    const auto* service = google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(
        absl::StrCat("kustom.ipp.v1.", name, "Service"));
    for (int i = 0; i < service->method_count(); ++i) rpcs.push_back(service->method(i));
  }
  return rpcs;
}

std::string PathOf(const MethodDescriptor& rpc) {
  return absl::StrCat("/", rpc.service()->full_name(), "/", rpc.name());
}

void AddPermissionRows(std::vector<Row>* rows) {
  for (const MethodDescriptor* rpc : AllRpcs()) {
    const std::string path = PathOf(*rpc);
    const auto with = [path](const Metadata& metadata) {
      return [path, metadata](const ForbiddenBed& b) {
        return CallRaw(b.channel(), path, "", metadata);
      };
    };
    const bool audits =
        absl::StartsWith(rpc->options().GetExtension(v1::route).permission(), "outcomes.");
    rows->push_back({absl::StrCat(rpc->name(), "WithoutToken"), with({}), "16 TOKEN_MISSING"});
    rows->push_back({absl::StrCat(rpc->name(), "WithWrongToken"), with(Token("token-of-nobody")),
                     "16 TOKEN_UNKNOWN"});
    rows->push_back({absl::StrCat(rpc->name(), "WithoutPermission"),
                     with(Token(audits ? "token-of-placer" : "token-of-auditor")),
                     "7 PERMISSION_MISSING"});
  }
}

// ListLocations takes any caller with a token: only who they are is in question.
void AddWhoRows(std::vector<Row>* rows) {
  const auto list = [rows](const std::string& name, const Metadata& metadata,
                           const std::string& refused) {
    rows->push_back({name,
                     [metadata](const ForbiddenBed& b) {
                       return CallRaw(b.channel(), absl::StrCat(kLocations, "ListLocations"), "",
                                      metadata);
                     },
                     refused});
  };
  list("TokenCutShort", Token("token-of-thie"), "16 TOKEN_UNKNOWN");
  list("TokenWithMoreBehind", Token("token-of-thief2"), "16 TOKEN_UNKNOWN");
  list("TokenInCapitals", Token("TOKEN-OF-THIEF"), "16 TOKEN_UNKNOWN");
  list("TokenTwiceInOne", Token("token-of-thief, Bearer token-of-victim"), "16 TOKEN_UNKNOWN");
  list("TokenOfNoBytes", Token(""), "16 TOKEN_MISSING");
  list("TokenByBasic", {{"authorization", "Basic token-of-thief"}}, "16 TOKEN_MISSING");
  list("TokenWithoutScheme", {{"authorization", "token-of-thief"}}, "16 TOKEN_MISSING");
  list("TokenUnderAnotherKey", {{"x-authorization", "Bearer token-of-thief"}}, "16 TOKEN_MISSING");
  list("TwoTokens",
       {{"authorization", "Bearer token-of-thief"}, {"authorization", "Bearer token-of-victim"}},
       "3 METADATA_REPEATED");
  list("TwoTokensTheOtherWayRound",
       {{"authorization", "Bearer token-of-nobody"}, {"authorization", "Bearer token-of-thief"}},
       "3 METADATA_REPEATED");
  const auto merchant = [&](const std::string& name, const std::string& value) {
    list(name, Thief({{"x-merchant-id", value}}), "7 MERCHANT_NOT_ALLOWED");
  };
  merchant("MerchantOfAnother", kMerchant);
  merchant("MerchantThatIsNone", "PM99999999");
  merchant("MerchantInOtherCase", "pm00000002");
  merchant("MerchantList", "PM00000002,PM00000001");
  merchant("MerchantWithPath", "PM00000002/../PM00000001");
  merchant("MerchantEncoded", "PM0000000%31");
  merchant("MerchantWithQuery", "PM00000002?merchant=PM00000001");
  merchant("MerchantVeryLong", std::string(4000, '1'));
  list("MerchantTwice", Thief({{"x-merchant-id", kMerchant2}, {"x-merchant-id", kMerchant}}),
       "3 METADATA_REPEATED");
  list("MerchantTwiceTheOtherWayRound",
       Thief({{"x-merchant-id", kMerchant}, {"x-merchant-id", kMerchant2}}), "3 METADATA_REPEATED");
}

void AddVictimRows(std::vector<Row>* rows) {
  const auto session = [](const ForbiddenBed& b, auto* r) { r->set_session_id(b.session); };
  const auto request = [](const ForbiddenBed& b, auto* r) { r->set_request_id(b.request_id); };
  const auto merchant = [](const ForbiddenBed&, auto* r) { r->add_merchant_ids(kMerchant); };
  rows->push_back(AsThief<v1::GetSessionRequest>(
      "SessionOfAnother", absl::StrCat(kSessions, "GetSession"), session, "5 NOT_FOUND", true));
  rows->push_back(AsThief<v1::CancelSessionRequest>(
      "CancelOfAnother", absl::StrCat(kSessions, "CancelSession"), session, "5 NOT_FOUND", true));
  rows->push_back(AsThief<v1::WatchSessionRequest>(
      "WatchOfAnother", absl::StrCat(kSessions, "WatchSession"), session, "5 NOT_FOUND", true));
  rows->push_back(AsThief<v1::SimulateCardTapRequest>(
      "TapOfAnother", absl::StrCat(kSimulation, "SimulateCardTap"), session, "5 NOT_FOUND", true));
  // It waits for a create of the thief's own with that id.
  rows->push_back(AsThief<v1::WatchSessionRequest>("WatchOfAnotherByRequest",
                                                   absl::StrCat(kSessions, "WatchSession"), request,
                                                   "4", false, absl::Seconds(2)));
  rows->push_back(AsThief<v1::GetCreateOutcomeRequest>("OutcomeOfAnother",
                                                       absl::StrCat(kOutcomes, "GetCreateOutcome"),
                                                       request, "5 CREATE_NOT_FOUND"));
  rows->push_back(AsThief<v1::ListCreateOutcomesRequest>(
      "OutcomesOfAnother", absl::StrCat(kOutcomes, "ListCreateOutcomes"), merchant,
      "7 MERCHANT_NOT_ALLOWED"));
  rows->push_back(AsThief<v1::ListCreateOutcomesRequest>(
      "OutcomesByTheTokenOfAnother", absl::StrCat(kOutcomes, "ListCreateOutcomes"),
      [](const ForbiddenBed& b, auto* r) {
        r->set_page_size(1);
        r->set_page_token(b.outcomes_token);
      },
      "3 INVALID_REQUEST"));
  rows->push_back(AsThief<v1::GetSessionHistoryRequest>("HistoryOfAnother",
                                                        absl::StrCat(kHistory, "GetSessionHistory"),
                                                        session, "5 SESSION_NOT_FOUND"));
  rows->push_back(AsThief<v1::GetSessionHistoryRequest>("HistoryOfAnotherByRequest",
                                                        absl::StrCat(kHistory, "GetSessionHistory"),
                                                        request, "5 SESSION_NOT_FOUND"));
  rows->push_back(AsThief<v1::ListSessionsRequest>("SessionsOfAnother",
                                                   absl::StrCat(kHistory, "ListSessions"), merchant,
                                                   "7 MERCHANT_NOT_ALLOWED"));
  rows->push_back(AsThief<v1::ListSessionsRequest>(
      "SessionsByTheTokenOfAnother", absl::StrCat(kHistory, "ListSessions"),
      [](const ForbiddenBed& b, auto* r) {
        r->set_page_size(1);
        r->set_page_token(b.sessions_token);
      },
      "3 INVALID_REQUEST"));
  rows->push_back(AsThief<v1::ListDevicesRequest>(
      "DevicesByTheTokenOfAnother", absl::StrCat(kDevices, "ListDevices"),
      [](const ForbiddenBed& b, auto* r) {
        r->set_page_size(1);
        r->set_page_token(b.page_token);
      },
      "3 INVALID_REQUEST"));
  rows->push_back(AsThief<v1::DeleteDeviceRequest>(
      "DeviceOfAnother", absl::StrCat(kDevices, "DeleteDevice"),
      [](const ForbiddenBed& b, auto* r) { r->set_device_id(b.device); }, "5 NOT_FOUND", true));
  rows->push_back(AsThief<v1::SubscribeSessionEventsRequest>(
      "StreamOfAnother", absl::StrCat(kEvents, "SubscribeSessionEvents"),
      [](const ForbiddenBed&, auto* r) {
        r->set_position(v1::START_POSITION_FROM_OLDEST);
        r->mutable_filter()->add_merchant_ids(kMerchant2);
        r->mutable_filter()->add_merchant_ids(kMerchant);
      },
      "7 MERCHANT_NOT_ALLOWED"));
  // Streams without a merchant in their filter: Callers.SeeTheEventsOfTheirOwnMerchantsAlone.
  rows->push_back({"EventsOfAnotherBySession",
                   [](const ForbiddenBed& b) {
                     v1::ListSessionEventsRequest wanted;
                     wanted.mutable_filter()->add_session_ids(b.session);
                     const auto reply =
                         b.bed().Call(&v1::SessionEventService::Stub::ListSessionEvents, wanted,
                                      AsCaller("thief"));
                     return absl::StrCat("OK ", reply.response.events_size(), " events");
                   },
                   "OK 0 events"});
  rows->push_back({"EventsOfAnotherByDevice",
                   [](const ForbiddenBed& b) {
                     v1::ListSessionEventsRequest wanted;
                     wanted.mutable_filter()->add_device_ids(b.device);
                     const auto reply =
                         b.bed().Call(&v1::SessionEventService::Stub::ListSessionEvents, wanted,
                                      AsCaller("thief"));
                     return absl::StrCat("OK ", reply.response.events_size(), " events");
                   },
                   "OK 0 events"});
  rows->push_back({"SessionsOfAnotherByRequest",
                   [](const ForbiddenBed& b) {
                     v1::ListSessionsRequest wanted;
                     wanted.set_request_id(b.request_id);
                     const auto reply = b.bed().Call(&v1::SessionHistoryService::Stub::ListSessions,
                                                     wanted, AsCaller("thief"));
                     return absl::StrCat("OK ", reply.response.sessions_size(), " sessions");
                   },
                   "OK 0 sessions"});
  rows->push_back({"DayOfAnother",
                   [](const ForbiddenBed& b) {
                     v1::GetDayReportRequest wanted;
                     wanted.set_time_zone("UTC");
                     wanted.set_day(absl::FormatTime("%Y-%m-%d", absl::Now(), absl::UTCTimeZone()));
                     const auto reply = b.bed().Call(&v1::ReportService::Stub::GetDayReport, wanted,
                                                     AsCaller("thief"));
                     return absl::StrCat("OK ", reply.response.merchant_id(), " ",
                                         reply.response.totals_size(), " totals");
                   },
                   absl::StrCat("OK ", kMerchant2, " 0 totals")});
}

}  // namespace

void AddForbiddenCallers(std::vector<ForbiddenRow>* rows) {
  AddPermissionRows(rows);
  AddWhoRows(rows);
  AddVictimRows(rows);
}

}  // namespace ipp
