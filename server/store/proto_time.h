#pragma once

#include "absl/time/time.h"
#include "google/protobuf/timestamp.pb.h"

namespace ipp::store {

// Protobuf's timestamp has the nanoseconds that the upstream sends; so do both directions here.
inline google::protobuf::Timestamp ToTimestamp(absl::Time time) {
  google::protobuf::Timestamp timestamp;
  const int64_t seconds =
      absl::ToUnixSeconds(time);  // rounds down, so that nanos is never negative
  timestamp.set_seconds(seconds);
  timestamp.set_nanos(
      static_cast<int32_t>(absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(seconds))));
  return timestamp;
}

inline absl::Time FromTimestamp(const google::protobuf::Timestamp& timestamp) {
  return absl::FromUnixSeconds(timestamp.seconds()) + absl::Nanoseconds(timestamp.nanos());
}

}  // namespace ipp::store
