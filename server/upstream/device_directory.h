#pragma once

#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "kustom/ipp/v1/device.pb.h"
#include "server/upstream/upstream_client.h"

namespace ipp::upstream {

// What the upstream lacks: one device by its id. Thread-safe; borrows all that it is given.
class DeviceDirectory {
 public:
  DeviceDirectory(UpstreamClient* client, const routes::RouteTable* routes);

  // Walks the device list, 100 a page, until the device is found. NOT_FOUND / DEVICE_NOT_FOUND when
  // no page has it. The handle cancels the page that is under way, and the walk with it.
  std::shared_ptr<UpstreamClient::Call> Find(
      std::string device_id, const CallContext& context,
      absl::AnyInvocable<void(absl::StatusOr<kustom::ipp::v1::Device>) &&> done);

 private:
  class Walk;
  UpstreamClient* const client_;
  const routes::Route& list_;
};

// Whether a further page may exist after the one that was asked for with `asked` and brought
// `items`.
bool HasNextPage(const routes::PageEnvelope& envelope, const routes::PageQuery& asked, int items);

}  // namespace ipp::upstream
