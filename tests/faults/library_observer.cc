#include "tests/faults/library_observer.h"

#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "ippclient/error.h"

namespace ipp::faults {

namespace v1 = kustom::ipp::v1;

LibraryObserver::LibraryObserver(std::string name, const std::vector<std::string>& gateways,
                                 const v1::SessionEventFilter& filter, Changes* changes)
    : notebook_(std::move(name), filter, changes) {
  client::ConnectionOptions connection;
  connection.address = absl::StrCat("ipv4:", absl::StrJoin(gateways, ","));
  connection.max_connect_backoff = absl::Milliseconds(200);
  auto created = client::Connection::Create(connection);
  if (!created.ok()) std::abort();
  connection_ = *std::move(created);

  client::EventSubscription::Options options;
  *options.request.mutable_filter() = filter;
  options.request.set_position(v1::START_POSITION_FROM_OLDEST);
  options.request.mutable_heartbeat_interval()->set_seconds(1);
  options.initial_backoff = absl::Milliseconds(20);
  options.max_backoff = absl::Milliseconds(100);
  subscription_ = std::make_unique<client::EventSubscription>(connection_->channel(), options);
  thread_ = std::thread([this] {
    const grpc::Status status = subscription_->Run(this);
    if (!status.ok()) {
      notebook_.Complain(absl::StrCat("ended with ", client::CodeName(status.error_code()), ": ",
                                      status.error_message()));
    }
  });
}

LibraryObserver::~LibraryObserver() {
  subscription_->Cancel();
  thread_.join();
}

void LibraryObserver::OnEvent(const v1::SessionEvent& event) {
  if (!due_cursor_.empty()) notebook_.Complain("an event without a cursor after it");
  due_cursor_ = event.cursor();
  if (due_cursor_.empty()) notebook_.Complain("an event without a cursor in it");
  notebook_.Append(event);
}

void LibraryObserver::OnStarted(const v1::SubscriptionStarted& started) {
  if (started.skipped()) notebook_.Complain("events were skipped");
}

void LibraryObserver::OnCursor(absl::string_view cursor) {
  if (!due_cursor_.empty() && cursor != due_cursor_) {
    notebook_.Complain("the position is not that of the event");
  }
  due_cursor_.clear();
}

}  // namespace ipp::faults
