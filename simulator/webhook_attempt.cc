#include "simulator/webhook_attempt.h"

#include <chrono>
#include <cstdint>

#include "simulator/sim_clock.h"

namespace ipp::simulator {
namespace {

// A key that no receiver has.
constexpr std::string_view kForeignSecret = "whsec_aXBwLXNpbXVsYXRvci1ub2JvZHktaGFzLXRoaXMta2V5";

std::string SignedBy(std::string_view secret, const WebhookRequest& request, int64_t now) {
  WebhookSigner signer;
  signer.AddSecret(secret);
  return signer.Sign(request.webhook_id, now, request.body);
}

// Pads the body without changing the event: by a further member, or by blanks where that does not
// fit.
std::string Padded(std::string body, size_t size) {
  constexpr std::string_view kFrame = R"(,"padding":"")";
  if (body.size() >= size) return body;
  if (body.back() != '}' || body.size() + kFrame.size() > size) {
    body.resize(size, ' ');
    return body;
  }
  const size_t filling = size - body.size() - kFrame.size();
  body.pop_back();
  return body.append(kFrame.substr(0, kFrame.size() - 1)).append(filling, 'x').append("\"}");
}

}  // namespace

WebhookRequest MakeAttempt(const Url& url, const std::string& webhook_id,
                           const std::string& plain_body, const Dialects& dialects,
                           const WebhookSigner& signer, const FaultRule* fault) {
  const std::string body = dialects.WordEvent(plain_body);
  const auto is = [&](FaultKind kind) { return fault != nullptr && fault->kind == kind; };
  // Real time, not the simulated clock: receivers refuse timestamps that are too old or too new.
  auto time =
      std::chrono::duration_cast<std::chrono::seconds>(SimClock::RealNow().time_since_epoch());
  if (is(FaultKind::kStaleTimestamp)) time -= fault->age;
  WebhookRequest request;
  request.url = url;
  request.webhook_id = webhook_id;
  request.timestamp = std::to_string(time.count());
  request.body = is(FaultKind::kHuge) ? Padded(body, static_cast<size_t>(fault->bytes)) : body;
  if (is(FaultKind::kBadSignature)) {
    request.signature = SignedBy(kForeignSecret, request, time.count());
  } else if (is(FaultKind::kRotatedSecret)) {
    // The new secret's signature first, so that a receiver that checks one signature only is
    // detected.
    request.signature = SignedBy(fault->next_secret, request, time.count());
    if (!fault->only_next_secret) {
      request.signature += " " + signer.Sign(webhook_id, time.count(), request.body);
    }
  } else {
    request.signature = signer.Sign(webhook_id, time.count(), request.body);
  }
  dialects.WordHeader(&request);
  return request;
}

}  // namespace ipp::simulator
