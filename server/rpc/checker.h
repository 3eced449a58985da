#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/map.h"
#include "server/base/error.h"
#include "server/base/uuid.h"
#include "server/upstream/correlation.h"

namespace ipp::rpc {

inline constexpr int kMaxFilters = 5;  // metadata filters per list, as the upstream documents
inline constexpr int kMaxPageSize = 100;
inline constexpr int kMaxEventPageSize = 1000;
inline constexpr int64_t kMinHeartbeatSeconds = 1;
inline constexpr int64_t kMaxHeartbeatSeconds = 300;

// Collects violations, so that the checks read like the rules.
class Checker {
 public:
  Checker& Require(bool holds, std::string field, std::string otherwise) {
    if (!holds) violations_.push_back({std::move(field), std::move(otherwise)});
    return *this;
  }
  Checker& Uuid(const std::string& value, std::string field) {
    return Require(IsUuid(value), std::move(field),
                   value.empty() ? "is required" : "must be a UUID");
  }
  Checker& OptionalUuid(const std::string& value, std::string field) {
    return Require(value.empty() || IsUuid(value), std::move(field), "must be a UUID");
  }
  // The gateway marks its own requests with this prefix (upstream/correlation.h).
  Checker& NoCorrelation(const std::string& value, std::string field) {
    return Require(!absl::StartsWithIgnoreCase(value, upstream::kCorrelationPrefix),
                   std::move(field),
                   absl::StrCat("must not begin with ", upstream::kCorrelationPrefix));
  }
  Checker& PageSize(int size, int most) {
    return Require(size >= 0 && size <= most, "page_size",
                   absl::StrCat("must be from 0 to ", most));
  }
  using StringMap = google::protobuf::Map<std::string, std::string>;
  Checker& Keys(const StringMap& metadata, const std::string& field) {
    for (const auto& [key, value] : metadata) {
      Require(!key.empty(), field, "has an empty key");
    }
    return *this;
  }
  Checker& Filters(const StringMap& metadata) {
    Require(
        metadata.size() <= kMaxFilters, "metadata",
        absl::StrCat("has ", metadata.size(), " filters, at most ", kMaxFilters, " are allowed"));
    for (const auto& [key, value] : metadata) {
      // The upstream splits `key:value` at the first colon.
      Require(key.find(':') == std::string::npos, absl::StrCat("metadata[", key, "]"),
              "a key must not hold a colon");
    }
    return Keys(metadata, "metadata");
  }
  template <typename Timestamp>
  Checker& Time(bool present, const Timestamp& time, std::string field) {
    constexpr int64_t kFirst = -62135596800, kLast = 253402300799;  // years 1 to 9999
    return Require(!present || (time.seconds() >= kFirst && time.seconds() <= kLast &&
                                time.nanos() >= 0 && time.nanos() <= 999'999'999),
                   std::move(field), "is not a time between the years 1 and 9999");
  }

  Checker& Heartbeat(bool present, const google::protobuf::Duration& interval) {
    return Require(
        !present ||
            (interval.seconds() >= kMinHeartbeatSeconds &&
             interval.seconds() <= kMaxHeartbeatSeconds && interval.nanos() >= 0 &&
             interval.nanos() <= (interval.seconds() == kMaxHeartbeatSeconds ? 0 : 999'999'999)),
        "heartbeat_interval", "must be from 1 second to 5 minutes");
  }

  // The result. Call it once.
  absl::Status Take() {
    if (violations_.empty()) return absl::OkStatus();
    return InvalidRequest(std::move(violations_));
  }

 private:
  std::vector<FieldViolation> violations_;
};

}  // namespace ipp::rpc
