#include "tests/webhook/fuzz_check.h"

#include <cstdlib>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/base/log.h"
#include "server/sessions/session_book.h"
#include "server/webhook/receiver.h"
#include "server/webhook/signature.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_store.h"

namespace ipp::webhook {
namespace {

constexpr char kKey[] = "key";

int Take(Delivery delivery) {
  static const bool quiet = SetLogLevel("off").ok();
  (void)quiet;
  FakeClock clock;
  Metrics metrics;
  store::FakeStore store(&clock, store::FakeStore::Mode::kManual);
  sessions::SessionBook book(&store, &clock, &metrics);
  Receiver receiver(
      [] {
        return std::vector<SigningKey>{{"DM00000001", kKey}};
      },
      absl::Minutes(5), &book, &clock, &metrics);
  int answers = 0;
  int code = 0;
  receiver.Take(std::move(delivery), [&](Answer answer) {
    ++answers;
    code = answer.http_code;
  });
  store.RunAll();
  return answers == 1 ? code : -answers;
}

void Require(bool holds, absl::string_view what, int code) {
  if (holds) return;
  std::cerr << what << ": " << code << std::endl;
  std::abort();
}

}  // namespace

void CheckAnyBytes(absl::string_view bytes) {
  // As a whole delivery: three headers, a line each, and the body.
  const std::vector<std::string> lines = absl::StrSplit(bytes, absl::MaxSplits('\n', 3));
  Delivery forged;
  forged.id = lines[0];
  if (lines.size() > 1) forged.timestamp = lines[1];
  if (lines.size() > 2) forged.signature = lines[2];
  if (lines.size() > 3) forged.body = lines[3];
  const int refused = Take(std::move(forged));
  Require(refused == 401, "a forged delivery", refused);

  Delivery genuine;
  genuine.id = "msg";
  genuine.timestamp = absl::StrCat(absl::ToUnixSeconds(FakeClock().Now()));
  genuine.body = std::string(bytes);
  genuine.signature = Sign(kKey, genuine.id, genuine.timestamp, genuine.body);
  const int code = Take(std::move(genuine));
  Require(code == 200 || code == 400 || code == 403, "a signed delivery", code);
}

}  // namespace ipp::webhook
