#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "server/base/mutex.h"
#include "server/web/web_listener.h"
#include "tests/support/web_client.h"

namespace ipp::web {

inline constexpr char kGet[] = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
inline constexpr char kEchoOfGet[] = "GET /a []";

inline std::unique_ptr<WebListener> StartListener(WebHandler handler, WebOptions options = {}) {
  auto listener = WebListener::Start(std::move(options), std::move(handler));
  EXPECT_TRUE(listener.ok()) << listener.status();
  return *std::move(listener);
}

inline WebResponse Text(std::string body) {
  WebResponse response;
  response.body = std::move(body);
  return response;
}

// Says what it was asked.
inline void Echo(WebRequest request, WebReply reply) {
  std::move(reply)(
      Text(absl::StrCat(request.method, " ", request.target, " [", request.body, "]")));
}

// Sends a byte at a time; the call on another connection in between makes the listener's one thread
// read each by itself.
inline void SendByteByByte(WebClient* client, const WebListener& listener,
                           absl::string_view bytes) {
  WebClient other(listener.port());
  for (size_t i = 0; i < bytes.size(); ++i) {
    ASSERT_TRUE(client->Send(bytes.substr(i, 1)));
    ASSERT_EQ(other.Call(kGet).code, 200);
  }
}

// Keeps the replies until the test wants them. Must outlive the listener.
class Desk {
 public:
  WebHandler handler() {
    return [this](WebRequest, WebReply reply) {
      MutexLock lock(&mutex_);
      replies_.push_back(std::move(reply));
      changed_.SignalAll();
    };
  }

  // The next reply; waits for it.
  WebReply Take() {
    MutexLock lock(&mutex_);
    while (replies_.empty()) changed_.Wait(&mutex_);
    WebReply reply = std::move(replies_.front());
    replies_.erase(replies_.begin());
    return reply;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::vector<WebReply> replies_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace ipp::web
