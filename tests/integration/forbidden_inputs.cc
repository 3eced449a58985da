// Forbidden by what is sent.

#include "absl/strings/str_cat.h"
#include "kustom/ipp/v1/device.pb.h"
#include "kustom/ipp/v1/enrollment.pb.h"
#include "kustom/ipp/v1/location.pb.h"
#include "kustom/ipp/v1/simulation.pb.h"
#include "tests/integration/forbidden_rows.h"
#include "tests/support/grpc_version.h"

namespace ipp {
namespace {

namespace v1 = kustom::ipp::v1;
using Row = ForbiddenRow;

void AddIdRows(std::vector<Row>* rows) {
  const std::pair<const char*, std::string> ids[] = {
      {"Empty", ""},
      {"Dots", "%2e%2e/%2e%2e/merchants"},
      {"Slashes", "../../../ipp/v1/devices"},
      {"LineBreak", "a\r\nauthorization: Basic eA=="},
      {"Nul", std::string(kNobody) + std::string(1, '\0')},
      {"Query", std::string(kNobody) + "?outcome=SUCCESS"},
      {"Space", std::string(" ") + kNobody},
      {"Bytes", "caf\xc3\xa9"},
      {"Huge", std::string(1'000'000, 'a')},
  };
  for (const auto& [name, id] : ids) {
    const auto session = [id = id](const ForbiddenBed&, auto* r) { r->set_session_id(id); };
    const auto device = [id = id](const ForbiddenBed&, auto* r) { r->set_device_id(id); };
    const std::string refused = "3 INVALID_REQUEST";
    rows->push_back(AsThief<v1::GetSessionRequest>(
        absl::StrCat("SessionId", name), absl::StrCat(kSessions, "GetSession"), session, refused));
    rows->push_back(AsThief<v1::CancelSessionRequest>(absl::StrCat("CancelledId", name),
                                                      absl::StrCat(kSessions, "CancelSession"),
                                                      session, refused));
    rows->push_back(AsThief<v1::SimulateCardTapRequest>(
        absl::StrCat("TappedId", name), absl::StrCat(kSimulation, "SimulateCardTap"), session,
        refused));
    rows->push_back(AsThief<v1::DeleteDeviceRequest>(
        absl::StrCat("DeviceId", name), absl::StrCat(kDevices, "DeleteDevice"), device, refused));
  }
  rows->push_back(AsThief<v1::GetLocationRequest>(
      "LocationIdDots", absl::StrCat(kLocations, "GetLocation"),
      [](const ForbiddenBed&, auto* r) { r->set_location_id(".."); }, "3 INVALID_REQUEST"));
  rows->push_back(AsThief<v1::DeleteEnrollmentRequest>(
      "EnrollmentIdDots", absl::StrCat(kEnrollments, "DeleteEnrollment"),
      [](const ForbiddenBed&, auto* r) { r->set_enrollment_id(".."); }, "3 INVALID_REQUEST"));
  rows->push_back(AsThief<v1::CreateEnrollmentRequest>(
      "RequestIdLineBreak", absl::StrCat(kEnrollments, "CreateEnrollment"),
      [](const ForbiddenBed&, auto* r) {
        r->set_ttl(v1::ENROLLMENT_TTL_TWO_HOURS);
        r->set_request_id("a\r\nx-request-id: b");
      },
      "3 INVALID_REQUEST"));
}

void AddSizeRows(std::vector<Row>* rows) {
  rows->push_back(AsThief<v1::CreateSimulatedDeviceRequest>(
      "MessageTooLarge", absl::StrCat(kSimulation, "CreateSimulatedDevice"),
      [](const ForbiddenBed&, auto* r) { r->set_name(std::string(5 << 20, 'a')); }, "8"));
  rows->push_back({"MetadataTooLarge",
                   [](const ForbiddenBed& b) {
                     return CallRaw(b.channel(), absl::StrCat(kLocations, "ListLocations"), "",
                                    Thief({{"x-much", std::string(100'000, 'a')}}));
                   },
                   "8"});
  rows->push_back({"RequestThatIsNone",
                   [](const ForbiddenBed& b) {
                     return CallRaw(b.channel(), absl::StrCat(kSessions, "GetSession"),
                                    std::string(100, '\xff'), Thief());
                   },
                   absl::StrCat(CodeOfRequestThatIsNone())});
  rows->push_back({"StreamRequestThatIsNone",
                   [](const ForbiddenBed& b) {
                     return CallRaw(b.channel(), absl::StrCat(kSessions, "WatchSession"),
                                    std::string(100, '\xff'), Thief());
                   },
                   "3 INVALID_REQUEST"});
  rows->push_back({"RpcThatIsNone",
                   [](const ForbiddenBed& b) {
                     return CallRaw(b.channel(), "/kustom.ipp.v1.SessionService/../GetSession", "",
                                    Thief());
                   },
                   "12"});
  for (const int size : {-1, 1001, 1'000'000'000}) {
    rows->push_back(AsThief<v1::ListDevicesRequest>(
        absl::StrCat("PageSize", size < 0 ? "Negative" : absl::StrCat(size)),
        absl::StrCat(kDevices, "ListDevices"),
        [size](const ForbiddenBed&, auto* r) { r->set_page_size(size); }, "3 INVALID_REQUEST"));
  }
  rows->push_back(AsThief<v1::ListDevicesRequest>(
      "TooManyFilters", absl::StrCat(kDevices, "ListDevices"),
      [](const ForbiddenBed&, auto* r) {
        for (int i = 0; i < 6; ++i) (*r->mutable_metadata())[absl::StrCat("k", i)] = "v";
      },
      "3 INVALID_REQUEST"));
  rows->push_back(AsThief<v1::ListDevicesRequest>(
      "PageTokenHuge", absl::StrCat(kDevices, "ListDevices"),
      [](const ForbiddenBed&, auto* r) { r->set_page_token(std::string(1 << 20, 'A')); },
      "3 INVALID_REQUEST"));
  rows->push_back(AsThief<v1::SubscribeSessionEventsRequest>(
      "CursorHuge", absl::StrCat(kEvents, "SubscribeSessionEvents"),
      [](const ForbiddenBed&, auto* r) { r->set_after_cursor(std::string(1 << 20, 'A')); },
      "3 CURSOR_MALFORMED"));
}

// A path of one of the HTTP ports.
Row Http(const std::string& name, bool admin, const std::string& method, const std::string& target,
         const std::string& refused, const std::string& headers = "",
         const std::string& body = "") {
  return {name,
          [=](const ForbiddenBed& b) {
            auto& app = const_cast<ForbiddenBed&>(b).gateway().app();
            return absl::StrCat(CallHttp(admin ? app.admin_port() : app.webhook_port(), method,
                                         target, headers, body)
                                    .code);
          },
          refused};
}

void AddHttpRows(std::vector<Row>* rows) {
  for (const char* page : {"livez", "readyz", "metrics", "configz"}) {
    rows->push_back(
        Http(absl::StrCat("WebhookPort_", page), false, "GET", absl::StrCat("/", page), "404"));
    for (const char* method : {"POST", "PUT", "DELETE"}) {
      rows->push_back(Http(absl::StrCat("AdminPort_", method, "_", page), true, method,
                           absl::StrCat("/", page), "405"));
    }
  }
  rows->push_back(Http("WebhookPort_GET", false, "GET", "/webhooks/kustom", "405"));
  rows->push_back(Http("WebhookPort_PUT", false, "PUT", "/webhooks/kustom", "405"));
  rows->push_back(Http("WebhookPort_Unsigned", false, "POST", "/webhooks/kustom", "401", "", "{}"));
  rows->push_back(
      Http("WebhookPort_Path", false, "POST", "/webhooks/../webhooks/kustom", "404", "", "{}"));
  rows->push_back(Http("WebhookPort_Head", false, "POST", "/webhooks/kustom", "431",
                       absl::StrCat("x-much: ", std::string(20'000, 'a'), "\r\n")));
  rows->push_back(Http("WebhookPort_Body", false, "POST", "/webhooks/kustom", "413", "",
                       std::string(4097, ' ')));
  rows->push_back(Http("AdminPort_Webhook", true, "POST", "/webhooks/kustom", "404", "", "{}"));
  rows->push_back(Http("AdminPort_File", true, "GET", "/../../etc/passwd", "404"));
  rows->push_back(Http("AdminPort_Simulator", true, "GET", "/_sim/requests", "404"));
}

// Headers that no client library would send.
void AddSmugglingRows(std::vector<Row>* rows) {
  const auto poke = [rows](const std::string& name, const Metadata& evil) {
    rows->push_back({name,
                     [evil](const ForbiddenBed& b) {
                       Metadata fields = {{":method", "POST"},
                                          {":scheme", "http"},
                                          {":path", absl::StrCat(kLocations, "ListLocations")},
                                          {":authority", "gateway"},
                                          {"te", "trailers"},
                                          {"content-type", "application/grpc"}};
                       fields.insert(fields.end(), evil.begin(), evil.end());
                       const int port = const_cast<ForbiddenBed&>(b).gateway().app().grpc_port();
                       return std::string(PokeHttp2(port, fields) ? "ended" : "hangs");
                     },
                     "ended"});
  };
  poke("Http2WithoutToken", {});
  poke("Http2MerchantLineBreak",
       Thief({{"x-merchant-id", "PM00000002\r\nx-merchant-id: PM00000001"}}));
  poke("Http2MerchantNul", Thief({{"x-merchant-id", std::string("PM00000002\0", 11)}}));
  poke("Http2TokenLineBreak", Token("token-of-nobody\r\nauthorization: Bearer token-of-thief"));
  poke("Http2TokenBehindNul", Token(std::string("token-of-thief\0x", 16)));
  poke("Http2NameLineBreak", {{"a\r\nauthorization", "Bearer token-of-thief"}});
  poke("Http2NameInCapitals", {{"Authorization", "Bearer token-of-thief"}});
  poke("Http2TwoTokens",
       {{"authorization", "Bearer token-of-thief"}, {"authorization", "Bearer token-of-thief"}});
  poke("Http2TokenBinary", {{"authorization-bin", "Bearer token-of-thief"}});
}

}  // namespace

void AddForbiddenInputs(std::vector<ForbiddenRow>* rows) {
  AddIdRows(rows);
  AddSizeRows(rows);
  AddHttpRows(rows);
  AddSmugglingRows(rows);
}

}  // namespace ipp
