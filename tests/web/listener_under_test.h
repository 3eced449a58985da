#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/mutex.h"
#include "server/web/web_listener.h"

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
