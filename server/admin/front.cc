#include "server/admin/front.h"

#include <string>
#include <utility>
#include <vector>

namespace ipp::admin {

web::Router Front(const AdminPages* pages, std::vector<web::Router::Route> more) {
  const auto show = [pages](web::WebRequest request, web::WebReply reply) {
    Page page = pages->Get(request.path, request.header("accept"));
    web::WebResponse response;
    response.code = page.code;
    response.content_type = std::move(page.content_type);
    response.body = std::move(page.body);
    std::move(reply)(std::move(response));
  };
  std::vector<web::Router::Route> routes = std::move(more);
  for (const std::string& path : AdminPages::Paths()) routes.push_back({"GET", path, show});
  return web::Router(std::move(routes), "no such page; / lists them\n");
}

}  // namespace ipp::admin
