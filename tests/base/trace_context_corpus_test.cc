#include <gtest/gtest.h>

#include "tests/base/trace_context_check.h"
#include "tests/support/corpus.h"

namespace ipp {
namespace {

TEST(TraceContextCorpus, HoldsForEveryInputAndItsNeighbours) {
  CheckCorpus("trace_context", CheckTraceContext);
}

}  // namespace
}  // namespace ipp
