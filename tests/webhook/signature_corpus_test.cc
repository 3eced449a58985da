#include <gtest/gtest.h>

#include "tests/support/corpus.h"
#include "tests/webhook/signature_check.h"

namespace ipp::webhook {
namespace {

TEST(SignatureCorpus, HoldsForEveryInputAndItsNeighbours) {
  CheckCorpus("signature", CheckSignature);
}

}  // namespace
}  // namespace ipp::webhook
