#include "server/rpc/services/shared_start.h"

#include <utility>

#include "server/base/protobuf_time.h"
#include "server/events/cursor.h"
#include "server/store/store_error.h"

namespace ipp::rpc {

namespace v1 = kustom::ipp::v1;

namespace {

constexpr char kAfterCursor[] = "subscription.start.after_cursor";

store::Done<int64_t> ForCaller(store::Done<int64_t> done) {
  return [done = std::move(done)](absl::StatusOr<int64_t> position) mutable {
    if (!position.ok()) return std::move(done)(store::ForCallers(position.status()));
    std::move(done)(*position);
  };
}

void AfterCursor(store::Store* store, const std::string& cursor, store::Done<int64_t> done) {
  const absl::StatusOr<events::LogPlace> place =
      events::ParseCursor(cursor, store->log_id(), kAfterCursor);
  if (!place.ok()) return std::move(done)(place.status());
  events::CheckPlaceInLog(
      store, *place, kAfterCursor,
      [position = place->position, done = std::move(done)](absl::Status in_log) mutable {
        if (!in_log.ok()) return std::move(done)(in_log);
        std::move(done)(position);
      });
}

}  // namespace

void FindStart(store::Store* store, const v1::SharedSubscriptionStart& start,
               store::Done<int64_t> done) {
  if (start.place_case() == v1::SharedSubscriptionStart::kAfterCursor) {
    return AfterCursor(store, start.after_cursor(), std::move(done));
  }
  if (start.place_case() == v1::SharedSubscriptionStart::kStartTime) {
    return store->FindPosition(FromTimestamp(start.start_time()), ForCaller(std::move(done)));
  }
  const bool from_now = start.position() == v1::START_POSITION_FROM_NOW;
  store->RefreshBounds([from_now, done = ForCaller(std::move(done))](
                           absl::StatusOr<store::LogBounds> bounds) mutable {
    if (!bounds.ok()) return std::move(done)(bounds.status());
    std::move(done)(from_now ? bounds->latest : bounds->oldest - 1);
  });
}

}  // namespace ipp::rpc
