#include "server/upstream/traceparent.h"

#include <cstdint>

#include "absl/random/random.h"
#include "absl/strings/str_format.h"

namespace ipp::upstream {
namespace {

bool IsLowerHex(absl::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == absl::string_view::npos;
}

bool AllZero(absl::string_view text) {
  return text.find_first_not_of('0') == absl::string_view::npos;
}

// version "-" trace-id "-" parent-id "-" flags
bool IsTraceparent(absl::string_view text) {
  return text.size() == 55 && text[2] == '-' && text[35] == '-' && text[52] == '-' &&
         text.substr(0, 2) == "00" && IsLowerHex(text.substr(3, 32)) &&
         !AllZero(text.substr(3, 32)) && IsLowerHex(text.substr(36, 16)) &&
         !AllZero(text.substr(36, 16)) && IsLowerHex(text.substr(53, 2));
}

absl::BitGen& Random() {
  thread_local absl::BitGen generator;
  return generator;
}

}  // namespace

std::string TraceparentOrNew(absl::string_view traceparent) {
  if (IsTraceparent(traceparent)) return std::string(traceparent);
  return absl::StrFormat("00-%016x%016x-%016x-00", absl::Uniform<uint64_t>(Random()),
                         absl::Uniform<uint64_t>(Random()) | 1,
                         absl::Uniform<uint64_t>(Random()) | 1);
}

std::string NewUuid() {
  const uint64_t high = absl::Uniform<uint64_t>(Random());
  const uint64_t low = absl::Uniform<uint64_t>(Random());
  return absl::StrFormat("%08x-%04x-4%03x-%04x-%012x", high >> 32, (high >> 16) & 0xffff,
                         high & 0x0fff, 0x8000 | ((low >> 48) & 0x3fff), low & 0xffffffffffff);
}

}  // namespace ipp::upstream
