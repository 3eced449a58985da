#include <gtest/gtest.h>

#include "tests/events/cursor_check.h"
#include "tests/support/corpus.h"

namespace ipp::events {
namespace {

TEST(CursorCorpus, HoldsForEveryInputAndItsNeighbours) { CheckCorpus("cursor", CheckCursor); }

}  // namespace
}  // namespace ipp::events
