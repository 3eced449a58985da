#include <gtest/gtest.h>

#include "tests/config/config_check.h"
#include "tests/support/corpus.h"

namespace ipp::config {
namespace {

TEST(ConfigCorpus, HoldsForEveryInputAndItsNeighbours) { CheckCorpus("config", CheckConfig); }

}  // namespace
}  // namespace ipp::config
