#include <gtest/gtest.h>

#include "tests/routes/path_template_check.h"
#include "tests/support/corpus.h"

namespace ipp::routes {
namespace {

TEST(PathTemplateCorpus, HoldsForEveryInputAndItsNeighbours) {
  CheckCorpus("path_template", CheckPathTemplate);
}

}  // namespace
}  // namespace ipp::routes
