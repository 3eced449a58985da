#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "simulator/simulator.h"
#include "tests/support/web_client.h"

namespace ipp {

inline constexpr char kMerchant[] = "PM00000001";
inline constexpr char kApiKey[] = "kco_test_api_simulator";
inline constexpr char kLocation1[] = "10c00000-0000-4000-8000-000000000001";
inline constexpr char kLocation2[] = "10c00000-0000-4000-8000-000000000002";
inline constexpr char kNobody[] = "99999999-9999-4999-8999-999999999999";
// The simulator's second merchant, when a test asks for one, and its first location.
inline constexpr char kMerchant2[] = "PM00000002";
inline constexpr char kApiKey2[] = "kco_test_api_of_the_second";
inline constexpr char kLocation3[] = "10c00000-0000-4000-8000-000000000003";

// An entry of /_sim/requests.
struct SeenRequest {
  std::string method;
  std::string target;
  std::string authorization;  // key, basic, none, refused
  std::map<std::string, std::string> headers;
  std::string body;
  int status = 0;

  std::string header(const std::string& name) const {
    const auto it = headers.find(name);
    return it == headers.end() ? "" : it->second;
  }
  std::string call() const { return method + " " + target; }
};

// An entry of /_sim/webhooks.
struct SentWebhook {
  std::string event_id;
  std::string type;
  std::string session_id;
};

// A simulator in process, with two locations a merchant, and its /_sim/ pages. Every call fails the
// test when it is not answered 2xx.
class RunningSimulator {
 public:
  explicit RunningSimulator(simulator::Simulator::Options options = {});
  ~RunningSimulator();

  int port() const { return port_; }
  std::string base_url() const;
  // From now on no process listens on its port.
  void Stop() { simulator_.reset(); }

  std::vector<SeenRequest> Requests() const;
  // The only one since ForgetRequests.
  SeenRequest OnlyRequest() const;
  void ForgetRequests() const { Control("DELETE", "/_sim/requests"); }
  std::vector<SentWebhook> Webhooks() const;
  // One receiver, or none.
  void SetWebhookUrl(const std::string& url) const;
  void Resend(const std::string& event_id) const;
  // activate, clerk-cancel, expire, fail
  void Step(const std::string& session_id, const std::string& step) const;
  // A phone pairs; the id of the device that it became.
  std::string Consume(const std::string& enrollment_code) const;

  // The answer's body.
  std::string Control(const std::string& method, const std::string& target,
                      const std::string& json = "") const;

 private:
  std::unique_ptr<simulator::Simulator> simulator_;
  int port_ = 0;
};

// One request over a connection of its own. `headers`: whole lines, each with "\r\n".
RawResponse CallHttp(int port, const std::string& method, const std::string& target,
                     const std::string& headers = "", const std::string& body = "");

}  // namespace ipp
