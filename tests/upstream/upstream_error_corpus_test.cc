#include <gtest/gtest.h>

#include "tests/support/corpus.h"
#include "tests/upstream/upstream_error_check.h"

namespace ipp::upstream {
namespace {

TEST(UpstreamErrorCorpus, HoldsForEveryInputAndItsNeighbours) {
  CheckCorpus("upstream_error", CheckUpstreamError);
}

}  // namespace
}  // namespace ipp::upstream
