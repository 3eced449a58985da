#pragma once

#include "server/rpc/page_token.h"
#include "server/rpc/unary_call.h"

#include <cstdint>
#include <limits>

namespace ipp::rpc {

inline constexpr int kDefaultPageSize = 20;

// Serves every list: callers see AIP-158 tokens, the upstream has zero-based pages.
template <typename Request, typename Response>
void ListPage(UnaryCall* call, const Request& request, Response* response) {
  const auto context = call->Upstream();
  if (!context) return;
  // The next page needs a number too.
  constexpr int64_t kLastPage = std::numeric_limits<int32_t>::max() - 1;
  const absl::StatusOr<int64_t> number = DecodePageToken(request, context->merchant_id, kLastPage);
  if (!number.ok()) return call->Finish(number.status());
  const routes::PageQuery page{
      .number = static_cast<int32_t>(*number),
      .size = request.page_size() == 0 ? kDefaultPageSize : request.page_size()};
  call->Send(
      request, response, *context,
      [call, &request, response, page,
       merchant_id = context->merchant_id](upstream::CallResult result) {
        response->set_total_size(result.page.total_elements());
        if (upstream::HasNextPage(result.page, page, call->route().ItemCount(*response))) {
          response->set_next_page_token(EncodePageToken(request, merchant_id, page.number + 1));
        }
        call->Finish(absl::OkStatus());
      },
      page);
}

}  // namespace ipp::rpc
