#pragma once

#include "absl/time/time.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"

namespace ipp {

// Converts between absl::Time and Timestamp, absl::Duration and Duration. The To functions need a
// finite value.
google::protobuf::Timestamp ToTimestamp(absl::Time time);
absl::Time FromTimestamp(const google::protobuf::Timestamp& timestamp);
google::protobuf::Duration ToDuration(absl::Duration duration);
absl::Duration FromDuration(const google::protobuf::Duration& duration);

}  // namespace ipp
