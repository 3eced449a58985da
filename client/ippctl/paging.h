#pragma once

#include <algorithm>
#include <cstdint>

#include "client/ippctl/command.h"

namespace ipp::ippctl {

// Follows the page tokens and collects everything in `all`, at most --limit rows (absent: all of
// them). When rows were left out, `all` keeps the next page's token.
//
// `rows` is the response's repeated field: &ListDevicesResponse::mutable_devices.
template <typename Service, typename Request, typename Response, typename Row>
grpc::Status ListAll(Invocation& invocation,
                     grpc::Status (Service::Stub::*method)(grpc::ClientContext*, const Request&,
                                                           Response*),
                     google::protobuf::RepeatedPtrField<Row>* (Response::*rows)(), Request request,
                     Response* all) {
  const int64_t limit =
      invocation.flags().Has("limit") ? invocation.flags().Integer("limit") : INT64_MAX;
  while (true) {
    const int64_t missing = limit - (all->*rows)()->size();
    request.set_page_size(static_cast<int32_t>(std::min<int64_t>(missing, 100)));
    Response page;
    grpc::Status status = invocation.Unary<Service>(method, request, &page);
    if (!status.ok()) return status;
    request.set_page_token(page.next_page_token());
    all->MergeFrom(page);
    all->set_next_page_token(page.next_page_token());
    if (page.next_page_token().empty() || (all->*rows)()->size() >= limit) return status;
  }
}

}  // namespace ipp::ippctl
