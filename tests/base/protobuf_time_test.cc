#include "server/base/protobuf_time.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

namespace ipp {
namespace {

struct TimeRow {
  std::string name;
  absl::Time time;
  int64_t seconds;
  int32_t nanos;
};

void PrintTo(const TimeRow& row, std::ostream* out) { *out << row.name; }

class ProtobufTime : public testing::TestWithParam<TimeRow> {};

TEST_P(ProtobufTime, GoesThereAndBack) {
  const TimeRow& row = GetParam();
  const google::protobuf::Timestamp timestamp = ToTimestamp(row.time);
  EXPECT_EQ(timestamp.seconds(), row.seconds);
  EXPECT_EQ(timestamp.nanos(), row.nanos);
  EXPECT_EQ(FromTimestamp(timestamp), row.time);
}

INSTANTIATE_TEST_SUITE_P(
    Table, ProtobufTime,
    testing::ValuesIn(std::vector<TimeRow>{
        {"Epoch", absl::UnixEpoch(), 0, 0},
        {"WholeSeconds", absl::FromUnixSeconds(1'790'000'000), 1'790'000'000, 0},
        {"OneNanosecond", absl::UnixEpoch() + absl::Nanoseconds(1), 0, 1},
        {"LastNanosecond", absl::UnixEpoch() + absl::Nanoseconds(999'999'999), 0, 999'999'999},
        // The nanoseconds count forward, also before 1970.
        {"JustBeforeTheEpoch", absl::UnixEpoch() - absl::Nanoseconds(1), -1, 999'999'999},
        {"HalfASecondBeforeTheEpoch", absl::UnixEpoch() - absl::Milliseconds(500), -1, 500'000'000},
        {"ASecondBeforeTheEpoch", absl::UnixEpoch() - absl::Seconds(1), -1, 0},
        {"YearOne", absl::FromUnixSeconds(-62135596800), -62135596800, 0},
        {"EndOfYear9999", absl::FromUnixSeconds(253402300799) + absl::Nanoseconds(999'999'999),
         253402300799, 999'999'999},
    }),
    [](const auto& info) { return info.param.name; });

TEST(ToTimestamp, CutsWhatIsFinerThanANanosecond) {
  EXPECT_EQ(
      ToTimestamp(absl::UnixEpoch() + absl::Nanoseconds(1) + absl::Nanoseconds(1) / 4).nanos(), 1);
}

}  // namespace
}  // namespace ipp
