#include "server/webhook/front.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace ipp::webhook {

web::Router Front(std::string path, Receiver* receiver) {
  const auto take = [receiver](web::WebRequest request, web::WebReply reply) {
    Delivery delivery{.id = request.header("webhook-id"),
                      .timestamp = request.header("webhook-timestamp"),
                      .signature = request.header("webhook-signature"),
                      .body = std::move(request.body)};
    receiver->Take(std::move(delivery), [reply = std::move(reply)](Answer answer) mutable {
      web::WebResponse response;
      response.code = answer.http_code;
      response.body = absl::StrCat(answer.text, "\n");
      std::move(reply)(std::move(response));
    });
  };
  return web::Router({{.method = "POST", .path = std::move(path), .handler = take}});
}

}  // namespace ipp::webhook
