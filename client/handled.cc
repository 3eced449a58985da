#include "client/handled.h"

#include <cxxabi.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <typeinfo>

#include "client/proto_duration.h"
#include "client/utf8.h"
#include "ippclient/error.h"

namespace ipp::client {
namespace {

namespace v1 = ::kustom::ipp::v1;

// Source: shared_subscription.proto. What is too long, or no text, would be refused together with
// what other handlers have said.
constexpr size_t kLongestReason = 1024;  // bytes
constexpr absl::Duration kLongestDelay = absl::Hours(1);

// Cut to the limit, and without bytes that are no UTF-8.
std::string AsReason(absl::string_view text) {
  std::string reason;
  while (!text.empty()) {
    size_t length = 1;  // of the next character
    while (length < std::min<size_t>(text.size(), 4) && !IsUtf8(text.substr(0, length))) ++length;
    if (!IsUtf8(text.substr(0, length))) {
      text.remove_prefix(1);
      continue;
    }
    if (reason.size() + length > kLongestReason) break;
    reason.append(text.data(), length);
    text.remove_prefix(length);
  }
  return reason;
}

}  // namespace

Handled::Handled(const absl::Status& status) {
  if (status.ok()) {
    settlement_.mutable_acknowledge();
  } else {
    settlement_.mutable_retry()->set_reason(
        CodeName(static_cast<grpc::StatusCode>(status.raw_code())));
  }
}

Handled Handled::Acknowledge() { return Handled(absl::OkStatus()); }

Handled Handled::Retry(absl::string_view reason, std::optional<absl::Duration> delay) {
  Handled handled;
  v1::RetryEvent& retry = *handled.settlement_.mutable_retry();
  retry.set_reason(AsReason(reason));
  if (delay) {
    *retry.mutable_delay() = ToProto(std::clamp(*delay, absl::ZeroDuration(), kLongestDelay));
  }
  return handled;
}

Handled Handled::Park(absl::string_view reason) {
  Handled handled;
  handled.settlement_.mutable_park()->set_reason(AsReason(reason));
  return handled;
}

Handled Handled::Release() {
  Handled handled;
  handled.settlement_.mutable_release();
  return handled;
}

v1::Settlement SettlementBy(const Consumer::Handler& handler, Delivery& delivery) {
  try {
    return handler(delivery).settlement();
  } catch (...) {
    return Handled::Retry(ThrownType()).settlement();  // its text may hold secrets
  }
}

std::string ThrownType() {
  const std::type_info* type = abi::__cxa_current_exception_type();
  if (type == nullptr) return "exception";
  int failed = 0;
  const std::unique_ptr<char, decltype(&std::free)> name(
      abi::__cxa_demangle(type->name(), nullptr, nullptr, &failed), &std::free);
  return failed == 0 ? name.get() : type->name();
}

}  // namespace ipp::client
