// What an HTTP/2 upstream can say instead of an answer.

#include <string>
#include <tuple>

#include "gtest/gtest.h"
#include "tests/http/h2_gate.h"
#include "tests/http/http_upstream.h"

namespace ipp::http {
namespace {

struct Fault {
  const char* name;
  H2Gate::Act act;
  RequestFate fate;        // as libcurl lets us know it
  RequestFate exact_fate;  // as the HTTP/2 transport does
};

constexpr Fault kFaults[] = {
    // libcurl sends a refused request five times more, in a burst, where it may.
    {"Refused", H2Gate::Act::kRefuse, RequestFate::kUnknown, RequestFate::kNotSent},
    {"StreamError", H2Gate::Act::kStreamError, RequestFate::kUnknown, RequestFate::kUnknown},
    {"GoAway", H2Gate::Act::kGoAway, RequestFate::kUnknown, RequestFate::kNotSent},
    {"CutBody", H2Gate::Act::kCutBody, RequestFate::kSent, RequestFate::kSent},
    {"CutLine", H2Gate::Act::kCutLine, RequestFate::kSent, RequestFate::kSent},
};

struct Sending {
  const char* name;
  const char* method;
  const char* body;
};

class H2Fault : public testing::TestWithParam<std::tuple<Fault, Sending, Wire>> {
 protected:
  // The first request of a connection is answered: the second finds one that has served.
  static CurlOptions Options(const H2Gate& gate) {
    CurlOptions options;
    options.base_url = gate.base_url();
    options.ca_file = gate.ca_file();
    options.connections = 1;
    return options;
  }
};

TEST_P(H2Fault, EndsAChangeAfterOneRequest) {
  const auto& [fault, sending, wire] = GetParam();
  H2Gate gate([act = fault.act](int nth) { return nth == 1 ? act : H2Gate::Act::kAnswer; });
  Metrics metrics;
  const auto transport = NewTransport(wire, Options(gate), &metrics);
  ASSERT_EQ(Call(*transport, Get("/warm")).response.body, "ok");

  const HttpResult result =
      Call(*transport, {sending.method, "/x", {}, sending.body, Repeatable::kNo});

  EXPECT_EQ(result.status.code(), absl::StatusCode::kUnavailable) << result.status;
  EXPECT_EQ(result.fate, wire == Wire::kHttp2Tls ? fault.fate : fault.exact_fate);
  EXPECT_EQ(gate.requests(), 2);
  EXPECT_EQ(Call(*transport, Get("/after")).response.body, "ok");
  EXPECT_EQ(gate.requests(), 3);
}

INSTANTIATE_TEST_SUITE_P(Every, H2Fault,
                         testing::Combine(testing::ValuesIn(kFaults),
                                          testing::Values(Sending{"Post", "POST", "{}"},
                                                          Sending{"EmptyPut", "PUT", ""},
                                                          Sending{"Delete", "DELETE", ""}),
                                          testing::Values(Wire::kHttp2Tls, Wire::kHttp2Transport)),
                         [](const auto& info) {
                           return std::string(std::get<0>(info.param).name) +
                                  std::get<1>(info.param).name +
                                  (std::get<2>(info.param) == Wire::kHttp2Tls ? "" : "WithoutCurl");
                         });

// The proof that the row above is about something.
class H2Refusal : public testing::TestWithParam<Wire> {};

TEST_P(H2Refusal, IsRepeatedForARead) {
  H2Gate gate([](int nth) { return nth == 1 ? H2Gate::Act::kRefuse : H2Gate::Act::kAnswer; });
  CurlOptions options;
  options.base_url = gate.base_url();
  options.ca_file = gate.ca_file();
  Metrics metrics;
  const auto transport = NewTransport(GetParam(), options, &metrics);
  ASSERT_EQ(Call(*transport, Get("/warm")).response.body, "ok");
  EXPECT_EQ(Call(*transport, Get("/x")).response.body, "ok");
  EXPECT_EQ(gate.requests(), 3);
}

INSTANTIATE_TEST_SUITE_P(Every, H2Refusal, testing::Values(Wire::kHttp2Tls, Wire::kHttp2Transport),
                         [](const auto& info) { return WireName(info.param); });

}  // namespace
}  // namespace ipp::http
