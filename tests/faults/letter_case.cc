#include "tests/faults/letter_case.h"

#include "absl/strings/ascii.h"
#include "tests/faults/plan.h"

namespace ipp::faults {

std::string Respell(absl::string_view id, std::mt19937_64* random) {
  std::string spelled(id);
  const uint64_t way = Draw(random, 3);
  for (char& c : spelled) {
    if (way == 1 || (way == 2 && Draw(random, 2) == 0)) c = absl::ascii_toupper(c);
  }
  return spelled;
}

}  // namespace ipp::faults
