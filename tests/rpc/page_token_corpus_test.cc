#include <gtest/gtest.h>

#include "tests/rpc/page_token_check.h"
#include "tests/support/corpus.h"

namespace ipp::rpc {
namespace {

TEST(PageTokenCorpus, HoldsForEveryInputAndItsNeighbours) {
  CheckCorpus("page_token", CheckPageToken);
}

}  // namespace
}  // namespace ipp::rpc
