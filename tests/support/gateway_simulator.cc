#include "tests/support/gateway_simulator.h"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace ipp {
namespace {

std::string String(const boost::json::value& value) {
  return value.is_string() ? std::string(value.as_string()) : std::string();
}

}  // namespace

RawResponse CallHttp(int port, const std::string& method, const std::string& target,
                     const std::string& headers, const std::string& body) {
  WebClient client(port);
  return client.Call(absl::StrCat(method, " ", target, " HTTP/1.1\r\nHost: localhost\r\n", headers,
                                  "Content-Length: ", body.size(), "\r\n\r\n", body));
}

RunningSimulator::RunningSimulator(simulator::Simulator::Options options) {
  options.locations = 2;
  std::string error;
  simulator_ = simulator::Simulator::Start(options, &error);
  EXPECT_NE(simulator_, nullptr) << error;
  if (simulator_ != nullptr) port_ = simulator_->port();
}

RunningSimulator::~RunningSimulator() = default;

std::string RunningSimulator::base_url() const { return absl::StrCat("http://127.0.0.1:", port_); }

std::string RunningSimulator::Control(const std::string& method, const std::string& target,
                                      const std::string& json) const {
  const RawResponse response = CallHttp(
      port_, method, target, json.empty() ? "" : "Content-Type: application/json\r\n", json);
  EXPECT_EQ(response.code / 100, 2) << method << " " << target << ": " << response.body;
  return response.body;
}

std::vector<SeenRequest> RunningSimulator::Requests() const {
  const boost::json::value page = boost::json::parse(Control("GET", "/_sim/requests"));
  std::vector<SeenRequest> requests;
  for (const auto& entry : page.at("requests").as_array()) {
    SeenRequest& request = requests.emplace_back();
    request.method = String(entry.at("method"));
    request.target = String(entry.at("target"));
    request.authorization = String(entry.at("authorization"));
    for (const auto& header : entry.at("headers").as_object()) {
      request.headers.emplace(std::string(header.key()), String(header.value()));
    }
    request.body = String(entry.at("body"));
    request.status = static_cast<int>(entry.at("status").as_int64());
  }
  return requests;
}

SeenRequest RunningSimulator::OnlyRequest() const {
  std::vector<SeenRequest> requests = Requests();
  EXPECT_EQ(requests.size(), 1u);
  return requests.empty() ? SeenRequest() : std::move(requests.front());
}

std::vector<SentWebhook> RunningSimulator::Webhooks() const {
  const boost::json::value page = boost::json::parse(Control("GET", "/_sim/webhooks"));
  std::vector<SentWebhook> webhooks;
  for (const auto& entry : page.at("events").as_array()) {
    webhooks.push_back(
        {String(entry.at("event_id")), String(entry.at("type")), String(entry.at("session_id"))});
  }
  return webhooks;
}

void RunningSimulator::SetWebhookUrl(const std::string& url) const {
  Control("PUT", "/_sim/webhooks",
          url.empty() ? R"({"urls": []})" : absl::StrCat(R"({"urls": [")", url, R"("]})"));
}

void RunningSimulator::Resend(const std::string& event_id) const {
  Control("POST", absl::StrCat("/_sim/webhooks/", event_id, "/resend"));
}

void RunningSimulator::Step(const std::string& session_id, const std::string& step) const {
  Control("POST", absl::StrCat("/_sim/sessions/", session_id, "/", step));
}

std::string RunningSimulator::Consume(const std::string& enrollment_code) const {
  return String(boost::json::parse(Control("POST", absl::StrCat("/_sim/enrollments/",
                                                                enrollment_code, "/consume")))
                    .at("id"));
}

}  // namespace ipp
