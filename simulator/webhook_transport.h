#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "simulator/uri.h"

namespace boost::asio {
class io_context;
}

namespace ipp::simulator {

struct WebhookRequest {
  Url url;
  std::string webhook_id;
  std::string timestamp;
  std::string signature;
  std::string body;
  std::string content_type = "application/json";
  // The names of the fields.
  std::string id_header = "webhook-id";
  std::string timestamp_header = "webhook-timestamp";
  std::string signature_header = "webhook-signature";
};

struct WebhookAnswer {
  int status = 0;         // HTTP; 0: none came
  std::string text = {};  // the beginning of its body, in ASCII: other bytes are '?'
};

// Carries one delivery attempt to a receiver.
class WebhookTransport {
 public:
  using Done = std::function<void(WebhookAnswer answer)>;

  virtual ~WebhookTransport() = default;

  // `done` runs exactly once on the loop's thread, never inside this call.
  virtual void Post(WebhookRequest request, Done done) = 0;
};

// A transport over persistent HTTP/1.1 connections, one for each concurrent attempt.
std::unique_ptr<WebhookTransport> MakeHttpWebhookTransport(boost::asio::io_context& loop,
                                                           std::chrono::milliseconds timeout);

}  // namespace ipp::simulator
