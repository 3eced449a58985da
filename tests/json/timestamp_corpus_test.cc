#include <gtest/gtest.h>

#include "tests/json/timestamp_check.h"
#include "tests/support/corpus.h"

namespace ipp::json {
namespace {

TEST(TimestampCorpus, HoldsForEveryInputAndItsNeighbours) {
  CheckCorpus("timestamp", test::CheckTimestamp);
}

}  // namespace
}  // namespace ipp::json
