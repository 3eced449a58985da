#include <gtest/gtest.h>

#include "tests/webhook/signature_check.h"
#include "tests/support/corpus.h"

namespace ipp::webhook {
namespace {

TEST(SignatureCorpus, HoldsForEveryInputAndItsNeighbours) { CheckCorpus("signature", CheckSignature); }

}  // namespace
}  // namespace ipp::webhook
