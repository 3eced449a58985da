#include <gtest/gtest.h>

#include "tests/json/json_write_check.h"
#include "tests/support/corpus.h"

namespace ipp::json {
namespace {

TEST(JsonWriteCorpus, HoldsForEveryInputAndItsNeighbours) {
  CheckCorpus("json_write", test::CheckJsonWrite);
}

}  // namespace
}  // namespace ipp::json
