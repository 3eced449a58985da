#include "tests/faults/simulator_process.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/base/status_macros.h"
#include "tests/faults/steps.h"
#include "tests/faults/truth_reader.h"

namespace ipp::faults {
namespace {

constexpr char kJson[] = "Content-Type: application/json\r\n";

std::string Authorization(const MerchantKey& merchant) {
  return absl::StrCat("Authorization: Basic ", merchant.api_key, "\r\nx-merchant-id: ", merchant.id,
                      "\r\n");
}

absl::StatusOr<std::string> Member(const std::string& json, const char* name) {
  boost::system::error_code error;
  const boost::json::value value = boost::json::parse(json, error);
  const auto* found = !error && value.is_object() ? value.as_object().if_contains(name) : nullptr;
  if (found == nullptr || !found->is_string()) {
    return absl::InternalError(absl::StrCat("no ", name, " in: ", json));
  }
  return std::string(found->as_string());
}

// Self-signed, by the openssl program. Not by std::system: while that waits it blocks SIGCHLD,
// which then interrupts other threads where it would have been ignored.
absl::Status MakeCertificate(const std::string& certificate, const std::string& key) {
  const std::string log = absl::StrCat(key, ".log");
  IPP_ASSIGN_OR_RETURN(
      const auto openssl,
      ChildProcess::Start(
          {"/usr/bin/openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
           "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=simulator", "-addext",
           "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", certificate},
          log));
  const absl::StatusOr<int> code = openssl->Wait(absl::Seconds(20));
  if (code.ok() && *code == 0) return absl::OkStatus();
  return absl::UnavailableError("openssl makes no certificate: " + LastLines(log, 3));
}

}  // namespace

absl::StatusOr<std::unique_ptr<SimulatorProcess>> SimulatorProcess::Start(
    const std::string& program, const WorkDirectory& directory, bool with_tls) {
  auto simulator = std::unique_ptr<SimulatorProcess>(new SimulatorProcess());
  simulator->merchants_ = {{"PM00000001", "kco_test_api_of_the_first", ""},
                           {"PM00000002", "kco_test_api_of_the_second", ""}};
  simulator->secrets_file_ = directory.Write(
      "webhook-secrets", "whsec_ZGVtby1zaWduaW5nLWtleS1mb3ItdGhlLXNpbXVsYXRvcg==\n");
  const std::string port_file = directory.File("simulator-port");
  const std::string control_file = directory.File("simulator-control-port");
  const std::string tls_file = directory.File("simulator-tls-port");
  std::vector<std::string> arguments = {
      program, "--listen", "127.0.0.1:0", "--port-file", port_file, "--control-listen",
      "127.0.0.1:0", "--control-port-file", control_file, "--session-ttl", "0",
      "--webhook-secret-file", simulator->secrets_file_,
      // A receiver that was killed hears again soon.
      "--webhook-backoff", "0.05", "--webhook-max-backoff", "0.4", "--webhook-timeout", "5"};
  for (const MerchantKey& merchant : simulator->merchants_) {
    arguments.insert(arguments.end(),
                     {"--merchant", absl::StrCat(merchant.id, ":", merchant.api_key)});
  }
  if (with_tls) {
    simulator->ca_file_ = directory.File("simulator-certificate.pem");
    const std::string key = directory.File("simulator-key.pem");
    IPP_RETURN_IF_ERROR(MakeCertificate(simulator->ca_file_, key));
    arguments.insert(arguments.end(), {"--tls-listen", "127.0.0.1:0", "--tls-port-file", tls_file,
                                       "--tls-certificate", simulator->ca_file_, "--tls-key", key});
  }
  const std::string log = directory.File("simulator.log");
  IPP_ASSIGN_OR_RETURN(simulator->process_, ChildProcess::Start(arguments, log));
  const absl::Time deadline = absl::Now() + absl::Seconds(20);
  while (!absl::SimpleAtoi(ReadFile(port_file), &simulator->port_) ||
         !absl::SimpleAtoi(ReadFile(control_file), &simulator->control_port_) ||
         (with_tls && !absl::SimpleAtoi(ReadFile(tls_file), &simulator->tls_port_))) {
    if (absl::Now() > deadline || simulator->process_->Wait(absl::Milliseconds(10)).ok()) {
      return absl::UnavailableError(
          absl::StrCat("the simulator did not start: ", LastLines(log, 5)));
    }
  }
  IPP_RETURN_IF_ERROR(simulator->MakeDevices());
  return simulator;
}

absl::Status SimulatorProcess::MakeDevices() {
  HttpConnection http(port_);
  for (size_t i = 0; i < merchants_.size(); ++i) {
    const RawResponse response = http.Call(
        "POST", "/ipp/v1/dev/devices", absl::StrCat(Authorization(merchants_[i]), kJson),
        absl::StrCat(R"({"name": "Till", "location_id": "10c00000-0000-4000-8000-00000000000)",
                     i + 1, R"("})"));
    if (response.code != 201) {
      return absl::InternalError(absl::StrCat("a device: ", response.code, " ", response.body));
    }
    IPP_ASSIGN_OR_RETURN(merchants_[i].device_id, Member(response.body, "id"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> SimulatorControl::Call(const std::string& method,
                                                   const std::string& target,
                                                   const std::string& headers,
                                                   const std::string& body) {
  RawResponse response =
      http_.Call(method, target, absl::StrCat(headers, body.empty() ? "" : kJson), body);
  if (response.code / 100 == 2) return std::move(response.body);
  const std::string text =
      absl::StrCat(method, " ", target, ": ", response.code, " ", response.body);
  if (response.code == 409) return absl::FailedPreconditionError(text);
  return absl::InternalError(text);
}

absl::StatusOr<std::string> SimulatorControl::CreateSession(const MerchantKey& merchant,
                                                            const std::string& reference) {
  IPP_RETURN_IF_ERROR(
      Call("POST", "/ipp/v1/sessions", Authorization(merchant),
           absl::StrCat(R"({"device_id": ")", merchant.device_id,
                        R"(", "order_amount": 100, "order_tax_amount": 0, )",
                        R"("purchase_currency": "SEK", "merchant_reference1": ")", reference,
                        R"(", "order_items": [{"name": "Tea", "quantity": 1, "unit_price": 100, )",
                        R"("total_amount": 100, "tax_rate": 0, "total_tax_amount": 0}]})"))
          .status());
  // The answer may be in a dialect; this page is plain.
  IPP_ASSIGN_OR_RETURN(const std::string page,
                       Call("GET", "/_sim/sessions?merchant_reference1=" + reference));
  boost::system::error_code error;
  const boost::json::value sessions = boost::json::parse(page, error);
  const auto* made = error ? nullptr : sessions.as_object().if_contains("sessions");
  if (made == nullptr || made->as_array().empty()) return absl::InternalError("none in: " + page);
  return Member(boost::json::serialize(made->as_array().back()), "session_id");
}

absl::Status SimulatorControl::Tap(const MerchantKey& merchant, const std::string& session_id,
                                   const std::string& outcome) {
  return Call("POST",
              absl::StrCat("/ipp/v1/dev/sessions/", session_id, "/simulate-tap?outcome=", outcome),
              Authorization(merchant))
      .status();
}

absl::Status SimulatorControl::Step(const std::string& session_id, const std::string& step) {
  return Call("POST", absl::StrCat("/_sim/sessions/", session_id, "/", step)).status();
}

absl::Status SimulatorControl::SetReceivers(const std::vector<std::string>& urls) {
  const std::string list =
      urls.empty() ? "" : absl::StrCat("\"", absl::StrJoin(urls, "\",\""), "\"");
  return Call("PUT", "/_sim/webhooks", "", absl::StrCat(R"({"urls": [)", list, "]}")).status();
}

absl::Status SimulatorControl::SetFaults(const std::string& faults) {
  return Call("PUT", "/_sim/faults", "", faults).status();
}

absl::Status SimulatorControl::Resend(const std::string& event_id) {
  return Call("POST", absl::StrCat("/_sim/webhooks/", event_id, "/resend")).status();
}

absl::Status SimulatorControl::SetDialect(const std::string& name) {
  return Call("PUT", "/_sim/dialects", "",
              absl::StrCat(R"({"names": [)", name.empty() ? "" : absl::StrCat("\"", name, "\""),
                           "]}"))
      .status();
}

absl::StatusOr<int> SimulatorControl::Undelivered() {
  IPP_ASSIGN_OR_RETURN(const std::string state, Call("GET", "/_sim/state?limit=0"));
  return ReadUndelivered(state);
}

absl::StatusOr<SimulatorControl::Reading> SimulatorControl::Read() {
  // Sessions first: a webhook of a session that came in between is left out.
  IPP_ASSIGN_OR_RETURN(std::string sessions, Call("GET", "/_sim/sessions?limit=1000000"));
  IPP_ASSIGN_OR_RETURN(std::string webhooks, Call("GET", "/_sim/webhooks"));
  IPP_ASSIGN_OR_RETURN(Truth truth, ReadTruthOf(sessions, webhooks));
  IPP_ASSIGN_OR_RETURN(auto strikes, ReadStrikes(webhooks));
  return Reading{std::move(truth), std::move(strikes), std::move(sessions), std::move(webhooks)};
}

}  // namespace ipp::faults
