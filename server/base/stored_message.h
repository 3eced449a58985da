#pragma once

#include <string>

#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "google/protobuf/message_lite.h"

// Messages as the bytes that the gateway itself writes, keeps and reads again. Pure functions.
namespace ipp {

// The same bytes for equal messages of one build: maps are written in a fixed order.
inline std::string DeterministicBytes(const google::protobuf::MessageLite& message) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    // Cannot fail: a string takes all, and no message of ours has a required field.
    (void)message.SerializeToCodedStream(&coded);
  }
  return bytes;
}

// The message that was kept as `bytes`. They are trusted: the gateway wrote them, after it had
// checked the message. Of damaged ones the message holds what could be read.
template <typename Message>
Message FromStored(const std::string& bytes) {
  Message message;
  (void)message.ParseFromString(bytes);
  return message;
}

}  // namespace ipp
