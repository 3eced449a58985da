#include "server/upstream/traceparent.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <regex>
#include <set>
#include <string>
#include <vector>

namespace ipp::upstream {
namespace {

constexpr char kGiven[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

struct TraceRow {
  std::string name;
  std::string given;
  bool kept;
};

void PrintTo(const TraceRow& row, std::ostream* out) { *out << row.name; }

class Traceparent : public testing::TestWithParam<TraceRow> {};

TEST_P(Traceparent, IsKeptOrReplaced) {
  const std::string out = TraceparentOrNew(GetParam().given);
  EXPECT_TRUE(std::regex_match(out, std::regex("00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}"))) << out;
  EXPECT_EQ(out == GetParam().given, GetParam().kept);
}

INSTANTIATE_TEST_SUITE_P(
    Table, Traceparent,
    testing::ValuesIn(std::vector<TraceRow>{
        {"Sampled", kGiven, true},
        {"NotSampled", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", true},
        {"Absent", "", false},
        {"OtherVersion", "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", false},
        {"ForbiddenVersion", "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", false},
        {"ZeroTrace", "00-00000000000000000000000000000000-00f067aa0ba902b7-01", false},
        {"ZeroParent", "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", false},
        {"UpperCase", "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", false},
        {"NotHex", "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01", false},
        {"NotHexParent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902bx-01", false},
        {"NotHexFlags", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0x", false},
        {"NoDash", "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", false},
        {"Short", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0", false},
        {"Long", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more", false},
        {"Injection", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902\r\n-01", false},
    }),
    [](const auto& info) { return info.param.name; });

TEST(NewTraceparent, DiffersEachTime) {
  std::set<std::string> all;
  for (int i = 0; i < 100; ++i) all.insert(TraceparentOrNew(""));
  EXPECT_EQ(all.size(), 100u);
}

TEST(NewUuid, IsAVersionFourUuidInLowerCase) {
  const std::regex shape("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}");
  std::set<std::string> all;
  for (int i = 0; i < 1000; ++i) {
    const std::string uuid = NewUuid();
    EXPECT_TRUE(std::regex_match(uuid, shape)) << uuid;
    all.insert(uuid);
  }
  EXPECT_EQ(all.size(), 1000u);
}

}  // namespace
}  // namespace ipp::upstream
