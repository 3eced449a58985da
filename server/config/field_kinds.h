#pragma once

#include "google/protobuf/descriptor.h"

namespace ipp::config {

// A google.protobuf.Duration is written as one scalar in YAML, although it is a message.
inline bool IsDuration(const google::protobuf::FieldDescriptor* field) {
  return field->cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE &&
         field->message_type()->full_name() == "google.protobuf.Duration";
}

inline bool IsMapping(const google::protobuf::FieldDescriptor* field) {
  return field->cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE &&
         !IsDuration(field);
}

}  // namespace ipp::config
