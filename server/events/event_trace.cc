#include "server/events/event_trace.h"

#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/wire_format_lite.h"

namespace ipp::events {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

absl::string_view FindIn(absl::string_view message, int field) {
  CodedInputStream in(reinterpret_cast<const uint8_t*>(message.data()),
                      static_cast<int>(message.size()));
  const uint32_t wanted = WireFormatLite::MakeTag(field, WireFormatLite::WIRETYPE_LENGTH_DELIMITED);
  while (const uint32_t tag = in.ReadTag()) {
    if (tag != wanted) {
      if (!WireFormatLite::SkipField(&in, tag)) return {};
      continue;
    }
    uint32_t size = 0;
    if (!in.ReadVarint32(&size)) return {};
    const size_t begin = static_cast<size_t>(in.CurrentPosition());
    return size > message.size() - begin ? absl::string_view() : message.substr(begin, size);
  }
  return {};
}

}  // namespace

std::string FindField(absl::string_view message, std::initializer_list<int> path) {
  for (const int field : path) message = FindIn(message, field);
  return std::string(message);
}

}  // namespace ipp::events
