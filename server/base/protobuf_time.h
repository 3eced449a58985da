#pragma once

#include "absl/time/time.h"
#include "google/protobuf/timestamp.pb.h"

namespace ipp {

// Converts between absl::Time and Timestamp. ToTimestamp needs a finite time.
google::protobuf::Timestamp ToTimestamp(absl::Time time);
absl::Time FromTimestamp(const google::protobuf::Timestamp& timestamp);

}  // namespace ipp
