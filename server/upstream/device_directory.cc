#include "server/upstream/device_directory.h"

#include <utility>

#include "server/base/error.h"
#include "server/base/pending_call.h"

namespace ipp::upstream {
namespace {

namespace v1 = kustom::ipp::v1;

constexpr int kPageSize = 100;   // the largest that the upstream is known to accept
constexpr int kMaxPages = 1000;  // guards against a list that never ends

}  // namespace

bool HasNextPage(const routes::PageEnvelope& envelope, const routes::PageQuery& asked, int items) {
  // An empty page ends every list, whatever the envelope says; otherwise the search could loop
  // forever.
  if (items == 0) return false;
  if (envelope.has_last()) return !envelope.last();
  if (envelope.has_total_pages()) return asked.number + 1 < envelope.total_pages();
  // The envelope could not be read, so only a page that is not full is known to be the last one.
  if (!envelope.has_total_elements() && envelope.unreadable_fields_size() > 0) {
    return items >= asked.size;
  }
  const int64_t size = envelope.page_size() > 0 ? envelope.page_size() : asked.size;
  return (int64_t{asked.number} + 1) * size < envelope.total_elements();
}

class DeviceDirectory::Walk final : public UpstreamClient::Call,
                                    public std::enable_shared_from_this<Walk> {
 public:
  using Done = absl::AnyInvocable<void(absl::StatusOr<v1::Device>) &&>;

  Walk(UpstreamClient* client, const routes::Route& list, std::string device_id,
       const CallContext& context, Done done)
      : client_(client),
        list_(list),
        device_id_(std::move(device_id)),
        context_(context),
        done_(std::move(done)) {}

  void ReadPage() {
    response_.Clear();
    // The answer, and with it the next page, may arrive before Start returns.
    const auto self = shared_from_this();
    call_.Start([&] {
      return client_->Start(
          list_, v1::ListDevicesRequest(), &response_, context_,
          [self](CallResult result) { self->GotPage(std::move(result)); },
          routes::PageQuery{.number = page_, .size = kPageSize});
    });
  }

  void Cancel() override { call_.Cancel(); }

 private:
  void GotPage(CallResult result) {
    if (!result.status.ok()) {
      // An earlier page was read, so a part of the call was sent.
      const bool improves = page_ > 0 && result.outcome == Outcome::kNotSent;
      return Tell(improves ? WithOutcome(result.status, Outcome::kUnknown)
                           : std::move(result.status));
    }
    for (v1::Device& device : *response_.mutable_devices()) {
      if (device.id() == device_id_) return Tell(std::move(device));
    }
    const routes::PageQuery asked{.number = page_, .size = kPageSize};
    if (!HasNextPage(result.page, asked, response_.devices_size()) || page_ + 1 >= kMaxPages) {
      return Tell(MakeError(absl::StatusCode::kNotFound, "no device of the merchant has this id",
                            {.reason = "DEVICE_NOT_FOUND",
                             .metadata = {{"outcome", "REJECTED"}, {"retry_safe", "true"}}}));
    }
    ++page_;
    ReadPage();
  }

  // As in UpstreamClient: whatever `done` owns is released once it has run.
  void Tell(absl::StatusOr<v1::Device> device) {
    Done done = std::move(done_);
    std::move(done)(std::move(device));
  }

  UpstreamClient* const client_;
  const routes::Route& list_;
  const std::string device_id_;
  const CallContext context_;
  Done done_;
  int page_ = 0;
  v1::ListDevicesResponse response_;
  PendingCall<UpstreamClient::Call> call_;
};

DeviceDirectory::DeviceDirectory(UpstreamClient* client, const routes::RouteTable* routes)
    : client_(client), list_(*routes->Find("kustom.ipp.v1.DeviceService/ListDevices")) {}

std::shared_ptr<UpstreamClient::Call> DeviceDirectory::Find(
    std::string device_id, const CallContext& context,
    absl::AnyInvocable<void(absl::StatusOr<v1::Device>) &&> done) {
  auto walk =
      std::make_shared<Walk>(client_, list_, std::move(device_id), context, std::move(done));
  walk->ReadPage();
  return walk;
}

}  // namespace ipp::upstream
