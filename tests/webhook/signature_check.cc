#include "tests/webhook/signature_check.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "server/webhook/signature.h"
#include "tests/support/require.h"

namespace ipp::webhook {
namespace {

constexpr char kKey[] = "0123456789abcdef0123456789abcdef";
constexpr char kNow[] = "1790000000";
constexpr absl::Duration kTolerance = absl::Minutes(5);

struct Parts {
  std::string key = kKey;
  std::string id;
  std::string timestamp;
  std::string signature;
  std::string body;
};

absl::Status Verified(const Parts& parts, absl::Duration later = absl::ZeroDuration()) {
  return Verify({parts.id, parts.timestamp, parts.signature}, parts.body, {parts.key},
                absl::FromUnixSeconds(1'790'000'000) + later, kTolerance);
}

void RequireRefused(const absl::Status& status, const char* what) {
  Require(status.code() == absl::StatusCode::kUnauthenticated, what, status.ToString());
  Require(!absl::StrContains(status.message(), kKey), "a key in the reason", status.ToString());
}

// One byte of one part becomes another. `where` and `turn` are from the input.
void CheckTurned(Parts parts, unsigned char where, unsigned char turn) {
  std::string* const all[] = {&parts.id, &parts.timestamp, &parts.signature, &parts.body,
                              &parts.key};
  std::string& part = *all[where % 5];
  if (part.empty()) return;
  char& byte = part[where / 5 % part.size()];
  byte = static_cast<char>(byte ^ (turn == 0 ? 1 : turn));
  RequireRefused(Verified(parts), "something was turned");
}

void CheckSecret(absl::string_view text) {
  const absl::StatusOr<std::string> key = DecodeSecret(text);
  Require(!key.ok() || (!key->empty() && absl::StrCat("whsec_", absl::Base64Escape(*key)) == text),
          "another spelling of a secret", text);
  const absl::Status refused = DecodeSecret(absl::StrCat(text, "!sesame")).status();
  Require(refused.code() == absl::StatusCode::kInvalidArgument, "no base64, and taken");
  Require(!absl::StrContains(refused.message(), "sesame"), "a secret in the reason", text);
}

void CheckSigned(Parts parts, unsigned char where, unsigned char turn) {
  if (parts.id.empty()) parts.id = "msg";
  parts.timestamp = kNow;
  const std::string signature = Sign(parts.key, parts.id, parts.timestamp, parts.body);
  parts.signature = absl::StrCat(parts.signature, " ", signature);
  Require(Verified(parts).ok(), "signed beside another signature, and not taken");
  const absl::Duration stale = kTolerance + absl::Seconds(1);
  RequireRefused(Verified(parts, turn < 128 ? stale : -stale), "stale");
  parts.signature = signature;
  CheckTurned(std::move(parts), where, turn);
}

}  // namespace

void CheckSignature(absl::string_view bytes) {
  const std::vector<std::string> lines = absl::StrSplit(bytes, absl::MaxSplits('\n', 3));
  Parts parts;
  parts.id = lines[0];
  if (lines.size() > 1) parts.timestamp = lines[1];
  if (lines.size() > 2) parts.signature = lines[2];
  if (lines.size() > 3) parts.body = lines[3];
  RequireRefused(Verified(parts), "nobody signed it");
  if (lines.size() == 1) return CheckSecret(bytes);
  CheckSigned(std::move(parts), static_cast<unsigned char>(bytes.front()),
              static_cast<unsigned char>(bytes.back()));
}

}  // namespace ipp::webhook
