#include "tests/webhook/webhook_check.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/webhook/example.h"

namespace ipp::webhook {
namespace {

TEST(WebhookCheck, HoldsForTheExampleCutAnywhere) {
  const std::string body = kExampleBody;
  for (size_t i = 0; i <= body.size(); ++i) CheckWebhook(body.substr(0, i));
}

TEST(WebhookCheck, HoldsForTheExampleWithBytesChanged) {
  std::mt19937 random(1);
  for (int i = 0; i < 400; ++i) {
    std::string text = i % 2 == 0 ? std::string(kExampleBody)
                                  : absl::StrCat(kExampleId, "\n", kExampleTimestamp, "\n",
                                                 kExampleSignature, "\n", kExampleBody);
    for (int j = 0; j < 3; ++j) {
      text[random() % text.size()] = static_cast<char>(random() & 0xff);
    }
    CheckWebhook(text);
  }
}

}  // namespace
}  // namespace ipp::webhook
