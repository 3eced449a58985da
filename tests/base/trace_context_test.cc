#include "server/base/trace_context.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace ipp {
namespace {

using testing::SizeIs;

constexpr char kGiven[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
constexpr char kUnsampled[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

bool IsWellFormed(const std::string& traceparent) {
  static const std::regex shape("00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}");
  return std::regex_match(traceparent, shape);
}

struct TraceRow {
  std::string name;
  std::string given;
  std::string taken;  // empty: a new trace
};

void PrintTo(const TraceRow& row, std::ostream* out) { *out << row.name; }

class Traceparent : public testing::TestWithParam<TraceRow> {};

TEST_P(Traceparent, IsKeptOrReplaced) {
  const TraceContext trace = TraceFrom(GetParam().given, "vendor=1");
  EXPECT_TRUE(IsWellFormed(trace.traceparent)) << trace.traceparent;
  if (GetParam().taken.empty()) {
    EXPECT_NE(trace.trace_id(), absl::string_view(kGiven).substr(3, 32));
    EXPECT_EQ(trace.tracestate, "") << "belongs to a traceparent that was not taken";
  } else {
    EXPECT_EQ(trace.traceparent, GetParam().taken);
    EXPECT_EQ(trace.tracestate, "vendor=1");
    EXPECT_EQ(trace.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
  }
}

INSTANTIATE_TEST_SUITE_P(
    Table, Traceparent,
    testing::ValuesIn(std::vector<TraceRow>{
        {"Sampled", kGiven, kGiven},
        {"NotSampled", kUnsampled, kUnsampled},
        {"UnknownFlags", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff",
         "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff"},
        {"Absent", "", ""},
        {"NewerVersion", "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", kGiven},
        {"NewerVersionFlags", "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0b", kGiven},
        {"NewerVersionUnsampled", "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1a",
         kUnsampled},
        {"NewerVersionWithMore", "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what",
         kGiven},
        {"NewerVersionTooLong", "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-012", ""},
        {"ForbiddenVersion", "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", ""},
        {"NotHexVersion", "0g-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", ""},
        {"ZeroTrace", "00-00000000000000000000000000000000-00f067aa0ba902b7-01", ""},
        {"ZeroParent", "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", ""},
        {"UpperCase", "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", ""},
        {"NotHex", "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01", ""},
        {"NotHexParent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902bx-01", ""},
        {"NotHexFlags", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0x", ""},
        {"NoDash", "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", ""},
        {"Short", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0", ""},
        {"Long", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more", ""},
        {"Two", absl::StrCat(kGiven, ",", kGiven), ""},
        {"Injection", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902\r\n-01", ""},
    }),
    [](const auto& info) { return info.param.name; });

class Tracestate : public testing::TestWithParam<TraceRow> {};

TEST_P(Tracestate, IsKeptCleanedOrLeftOut) {
  const TraceContext trace = TraceFrom(kGiven, GetParam().given);
  EXPECT_EQ(trace.traceparent, kGiven) << "stands without it too";
  EXPECT_EQ(trace.tracestate, GetParam().taken);
}

std::string Members(int count, const std::string& value = "1") {
  std::string list;
  for (int i = 0; i < count; ++i) absl::StrAppend(&list, i > 0 ? "," : "", "v", i, "=", value);
  return list;
}

INSTANTIATE_TEST_SUITE_P(Table, Tracestate,
                         testing::ValuesIn(std::vector<TraceRow>{
                             {"Absent", "", ""},
                             {"One", "rojo=00f067aa0ba902b7", "rojo=00f067aa0ba902b7"},
                             {"Tenant", "fw529a3039@dt=a b;c", "fw529a3039@dt=a b;c"},
                             {"SpacesAround", "a=1 , b=2\t,c=3", "a=1,b=2,c=3"},
                             {"EmptyMembers", ",a=1,,b=2,", "a=1,b=2"},
                             {"AllMembers", Members(32), Members(32)},
                             {"TooManyMembers", Members(33), ""},
                             {"TooLong", Members(3, std::string(200, 'x')),
                              Members(2, std::string(200, 'x'))},
                             {"NoValue", "a=", ""},
                             {"NoKey", "=1", ""},
                             {"NoEquals", "a", ""},
                             {"UpperCaseKey", "A=1", ""},
                             {"KeyBeginsWithSign", "_a=1", ""},
                             {"KeyWithSpace", "a b=1", ""},
                             {"LongKey", std::string(257, 'a') + "=1", ""},
                             {"LongValue", "a=" + std::string(257, 'x'), ""},
                             {"ValueWithEquals", "a=1=2", ""},
                             {"LineBreak", "a=1\r\nauthorization: x", ""},
                             {"Control", std::string("a=1\x7f"), ""},
                             {"NotAscii", "a=\xc3\xa9", ""},
                             {"OneBadOfTwo", "a=1,B=2", ""},
                         }),
                         [](const auto& info) { return info.param.name; });

TEST(NewTrace, DiffersEachTimeAndIsNotSampled) {
  std::set<std::string> all;
  for (int i = 0; i < 100; ++i) {
    const TraceContext trace = NewTrace();
    EXPECT_TRUE(IsWellFormed(trace.traceparent)) << trace.traceparent;
    EXPECT_EQ(trace.traceparent.substr(52), "-00");
    all.insert(std::string(trace.trace_id()));
  }
  EXPECT_THAT(all, SizeIs(100));
}

TEST(NoTrace, IsADashInTheLog) { EXPECT_EQ(TraceContext().trace_id(), "-"); }

}  // namespace
}  // namespace ipp
