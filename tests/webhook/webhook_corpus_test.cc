#include <gtest/gtest.h>

#include "tests/support/corpus.h"
#include "tests/webhook/webhook_check.h"

namespace ipp::webhook {
namespace {

TEST(WebhookCorpus, HoldsForEveryInputAndItsNeighbours) { CheckCorpus("webhook", CheckWebhook); }

}  // namespace
}  // namespace ipp::webhook
