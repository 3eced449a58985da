#include "tests/faults/listed_events.h"

#include <grpcpp/grpcpp.h>

#include <chrono>

#include "absl/strings/str_cat.h"
#include "ippclient/error.h"
#include "kustom/ipp/v1/session_event.grpc.pb.h"
#include "tests/faults/fresh_channel.h"

namespace ipp::faults {

Observation ListEvents(const std::string& gateway, const std::string& name) {
  namespace v1 = kustom::ipp::v1;
  Observation seen;
  seen.name = name;
  const auto stub = v1::SessionEventService::NewStub(FreshChannel(gateway));
  v1::ListSessionEventsRequest request;
  request.set_page_size(77);
  v1::ListSessionEventsResponse page;
  do {
    request.set_page_token(page.next_page_token());
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    const grpc::Status status = stub->ListSessionEvents(&context, request, &page);
    if (!status.ok()) {
      seen.complaints.push_back(
          absl::StrCat(client::CodeName(status.error_code()), ": ", status.error_message()));
      return seen;
    }
    for (const v1::SessionEvent& event : page.events()) {
      seen.events.push_back(std::make_shared<const SeenEvent>(event));
    }
  } while (!page.next_page_token().empty());
  return seen;
}

}  // namespace ipp::faults
