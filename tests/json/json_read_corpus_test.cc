#include <gtest/gtest.h>

#include "tests/json/json_read_check.h"
#include "tests/support/corpus.h"

namespace ipp::json {
namespace {

TEST(JsonReadCorpus, HoldsForEveryInputAndItsNeighbours) {
  CheckCorpus("json_read", test::CheckJsonRead);
}

}  // namespace
}  // namespace ipp::json
