#include "server/events/log_event.h"

#include <utility>

#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/wire_format_lite.h"
#include "server/base/stored_message.h"
#include "server/store/message_size.h"

namespace ipp::events {
namespace {

namespace v1 = kustom::ipp::v1;
using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedOutputStream;

// Appends the tag and the length of a field, in protobuf's wire format; its bytes follow.
void AppendLengthDelimited(int field, size_t size, std::string* out) {
  uint8_t head[20];
  uint8_t* end = CodedOutputStream::WriteTagToArray(
      WireFormatLite::MakeTag(field, WireFormatLite::WIRETYPE_LENGTH_DELIMITED), head);
  end = CodedOutputStream::WriteVarint32ToArray(static_cast<uint32_t>(size), end);
  out->append(reinterpret_cast<const char*>(head), static_cast<size_t>(end - head));
}

}  // namespace

EventPtr LogEvent::Make(store::StoredEvent row, absl::string_view log_id, const LogPlace& place,
                        std::shared_ptr<EventMemory> memory) {
  // Only a row of an earlier release can be too large.
  if (row.payload.size() > store::kMaxEventBytes) {
    v1::SessionEvent large;
    if (large.ParseFromString(row.payload) && store::CapEvent(&large)) {
      row.payload = large.SerializeAsString();
    }
  }
  auto event = std::make_shared<LogEvent>();
  event->place = place;
  std::string cursor_head;
  AppendLengthDelimited(v1::SessionEvent::kCursorFieldNumber, kCursorSize, &cursor_head);
  const size_t size = row.payload.size() + cursor_head.size() + kCursorSize;
  event->message.reserve(size + 8);
  AppendLengthDelimited(v1::SubscribeSessionEventsResponse::kEventFieldNumber, size,
                        &event->message);
  event->message += row.payload;
  event->message += cursor_head;
  event->message += EncodeCursor(log_id, event->place);
  // From here on `message` holds the bytes.
  row.payload.clear();
  row.payload.shrink_to_fit();
  event->row = std::move(row);
  event->bytes =
      static_cast<int64_t>(sizeof(LogEvent) + event->message.capacity() +
                           event->row.merchant_id.size() + event->row.session_id.size() +
                           event->row.device_id.size() + event->row.merchant_reference1.size());
  event->counted = std::move(memory);
  if (event->counted != nullptr) event->counted->Add(event->bytes);
  return event;
}

v1::SessionEvent LogEvent::Parse() const {
  auto response = FromStored<v1::SubscribeSessionEventsResponse>(message);
  return std::move(*response.mutable_event());
}

}  // namespace ipp::events
