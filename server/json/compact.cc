#include "server/json/compact.h"

#include <cstddef>

namespace ipp::json {

std::string CompactJson(absl::string_view json) {
  std::string out;
  out.reserve(json.size());
  bool quoted = false;
  for (size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (!quoted && (c == ' ' || c == '\t' || c == '\n' || c == '\r')) continue;
    out += c;
    if (c == '"') quoted = !quoted;
    if (c == '\\') out += json[++i];  // an escape; only strings have them
  }
  return out;
}

}  // namespace ipp::json
