#include "server/store/event_row.h"

#include <utility>

#include "server/base/protobuf_time.h"
#include "server/store/message_size.h"

namespace ipp::store {

StoredEvent MakeRow(kustom::ipp::v1::SessionEvent event, int64_t position, absl::Time recorded_at) {
  event.clear_cursor();
  *event.mutable_recorded_at() = ToTimestamp(recorded_at);
  StoredEvent row;
  row.position = position;
  row.recorded_at = recorded_at;
  row.merchant_id = event.merchant_id();
  row.session_id = event.session_id();
  row.device_id = event.session().device_id();
  row.type = event.type();
  row.merchant_reference1 = event.session().merchant_reference1();
  // Before the cap: filters match the session's real fields, even when the event is cut.
  CapEvent(&event);
  row.payload = event.SerializeAsString();
  return row;
}

}  // namespace ipp::store
