#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace ipp::bench {

// Signed webhooks as HTTP requests, ready to be sent: `ipp.payment.failed` of the sessions in turn,
// with the event ids kevt_<first>, kevt_<first + 1>, … The signature is good for five minutes.
std::vector<std::string> SignedWebhooks(const std::string& secret, const std::string& merchant,
                                        const std::vector<std::string>& sessions, int64_t first,
                                        int count);
std::string EventId(int64_t number);
// The number of the event in a message of the stream; -1 when there is none.
int64_t EventNumber(const std::string& message);

struct HttpLoad {
  int port = 0;  // of 127.0.0.1
  int connections = 1;
  // Requests a second, evenly; one that finds no free connection waits for one. 0: each connection
  // sends its next request as soon as it has the answer.
  double per_second = 0;
  std::function<void(size_t index, int64_t due_ns)> on_send;  // CLOCK_MONOTONIC
  std::function<void(size_t answered)> on_answer;
};

// Sends all, over connections that stay open; returns when all are answered with 200, or ends the
// process. One thread, this one.
void Run(const HttpLoad& load, const std::vector<std::string>& requests);

int64_t NowNs();

}  // namespace ipp::bench
