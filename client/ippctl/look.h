#pragma once

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "google/protobuf/timestamp.pb.h"

namespace ipp::ippctl {

// How text for a person looks in the terminal at hand.
struct Look {
  absl::TimeZone zone = absl::UTCTimeZone();
  bool color = false;
  int width = 0;  // columns of the terminal; 0: standard output is none, so nothing is cut to fit
  bool short_times = false;  // in tables: "01-31 08:00"
};

enum class Paint { kNone, kBold, kDim, kGood, kBad, kOpen };

// `text` between the terminal's sequences for that colour; `text` alone without `color`.
std::string Painted(absl::string_view text, Paint paint, bool color);

// The colour of a status or outcome in capitals: FINALIZED is good, FAILED bad, ACTIVE open.
Paint PaintOf(absl::string_view word);

// RFC 3339 in whole seconds: "2026-01-31T08:00:00Z" in UTC, else with the zone's offset. Empty for
// a time that is not set.
std::string FormatTimestamp(const google::protobuf::Timestamp& time,
                            absl::TimeZone zone = absl::UTCTimeZone());

// A time in a table: that, or short of room "01-31 08:00", in the same zone.
std::string TableTime(const google::protobuf::Timestamp& time, const Look& look);
// The columns that it takes.
size_t TableTimeWidth(const Look& look);

}  // namespace ipp::ippctl
