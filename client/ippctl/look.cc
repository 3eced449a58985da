#include "client/ippctl/look.h"

#include "absl/strings/str_cat.h"

namespace ipp::ippctl {

std::string Painted(absl::string_view text, Paint paint, bool color) {
  if (!color || paint == Paint::kNone || text.empty()) return std::string(text);
  const char* sequence = "";
  switch (paint) {
    case Paint::kNone:
      break;
    case Paint::kBold:
      sequence = "1";
      break;
    case Paint::kDim:
      sequence = "2";
      break;
    case Paint::kGood:
      sequence = "32";
      break;
    case Paint::kBad:
      sequence = "31";
      break;
    case Paint::kOpen:
      sequence = "35";  // not yellow, which is hard to read on a light ground
      break;
  }
  return absl::StrCat("\x1b[", sequence, "m", text, "\x1b[0m");
}

Paint PaintOf(absl::string_view word) {
  for (absl::string_view good : {"FINALIZED", "SUCCEEDED", "CONSUMED"}) {
    if (word == good) return Paint::kGood;
  }
  for (absl::string_view bad : {"FAILED", "PAYMENT_FAILED", "UNKNOWN", "REFUSED"}) {
    if (word == bad) return Paint::kBad;
  }
  for (absl::string_view open : {"CREATED", "ACTIVE", "ACTIVATED", "PENDING", "UNDER_WAY"}) {
    if (word == open) return Paint::kOpen;
  }
  for (absl::string_view over : {"CANCELLED", "EXPIRED", "NOT_SENT"}) {
    if (word == over) return Paint::kDim;
  }
  return Paint::kNone;
}

std::string FormatTimestamp(const google::protobuf::Timestamp& time, absl::TimeZone zone) {
  if (time.seconds() == 0 && time.nanos() == 0) return "";
  const absl::Time at = absl::FromUnixSeconds(time.seconds());
  return absl::FormatTime(zone.At(at).offset == 0 ? "%Y-%m-%dT%H:%M:%SZ" : "%Y-%m-%dT%H:%M:%S%Ez",
                          at, zone);
}

std::string TableTime(const google::protobuf::Timestamp& time, const Look& look) {
  const bool set = time.seconds() != 0 || time.nanos() != 0;
  if (!look.short_times || !set) return FormatTimestamp(time, look.zone);
  return absl::FormatTime("%m-%d %H:%M", absl::FromUnixSeconds(time.seconds()), look.zone);
}

size_t TableTimeWidth(const Look& look) {
  google::protobuf::Timestamp some;
  some.set_seconds(1);
  return TableTime(some, look).size();
}

}  // namespace ipp::ippctl
