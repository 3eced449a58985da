#pragma once

#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "kustom/ipp/v1/device.pb.h"
#include "server/upstream/upstream_client.h"

namespace ipp::upstream {

// Finds one device by its id, which the upstream has no call for. Thread-safe; borrows its
// arguments.
class DeviceDirectory {
 public:
  DeviceDirectory(UpstreamClient* client, const routes::RouteTable* routes);

  // Reads the device list, 100 devices a page, until the device is found. NOT_FOUND /
  // DEVICE_NOT_FOUND if no page has it. The handle cancels the read of the current page and ends
  // the search.
  std::shared_ptr<UpstreamClient::Call> Find(
      std::string device_id, const CallContext& context,
      absl::AnyInvocable<void(absl::StatusOr<kustom::ipp::v1::Device>) &&> done);

 private:
  class Walk;
  UpstreamClient* const client_;
  const routes::Route& list_;
};

// Whether there may be another page after the page `asked`, which had `items` items.
bool HasNextPage(const routes::PageEnvelope& envelope, const routes::PageQuery& asked, int items);

}  // namespace ipp::upstream
