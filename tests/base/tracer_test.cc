#include "server/base/tracer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>

#include "tests/support/fake_tracer.h"

namespace ipp {
namespace {

constexpr char kFlagsAt[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-";

struct FlagsRow {
  std::string name;
  std::string traceparent;
  bool sampled;
};

void PrintTo(const FlagsRow& row, std::ostream* out) { *out << row.name; }

class SampledFlag : public testing::TestWithParam<FlagsRow> {};

TEST_P(SampledFlag, DecidesWhetherThereIsASpan) {
  const TraceContext trace{.traceparent = GetParam().traceparent};
  EXPECT_EQ(IsSampled(trace), GetParam().sampled);
  FakeTracer tracer;
  EXPECT_EQ(StartSpan(&tracer, {.name = "work", .parent = trace}) != nullptr, GetParam().sampled);
  EXPECT_EQ(StartSpan(nullptr, {.name = "work", .parent = trace}), nullptr) << "tracing is off";
}

const FlagsRow kFlags[] = {
    {"Set", std::string(kFlagsAt) + "01", true},
    {"SetAmongOthers", std::string(kFlagsAt) + "03", true},
    {"SetInHex", std::string(kFlagsAt) + "ff", true},
    {"NotSet", std::string(kFlagsAt) + "00", false},
    {"NotSetAmongOthers", std::string(kFlagsAt) + "02", false},
    {"NotSetInHex", std::string(kFlagsAt) + "fe", false},
    {"NoTrace", "", false},
    {"CutOff", "00-4bf92f3577b34da6a3ce929d0e0e4736-1", false},
};

INSTANTIATE_TEST_SUITE_P(Rows, SampledFlag, testing::ValuesIn(kFlags),
                         [](const auto& info) { return info.param.name; });

TEST(SampledFlag, IsNotSetInATraceThatBeginsHere) { EXPECT_FALSE(IsSampled(NewTrace())); }

TEST(HandedOn, IsTheSpansContextWhereThereIsOne) {
  FakeTracer tracer;
  const TraceContext received{.traceparent = std::string(kFlagsAt) + "01", .tracestate = "a=1"};
  auto span = StartSpan(&tracer, {.name = "work", .parent = received});
  EXPECT_EQ(HandedOn(span, received).traceparent,
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000001-01");
  EXPECT_EQ(HandedOn(span, received).tracestate, "a=1");
  EXPECT_EQ(HandedOn(nullptr, received), received);
}

}  // namespace
}  // namespace ipp
