#include "simulator/uri.h"

#include <charconv>

#include "simulator/ids.h"

namespace ipp::simulator {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool Decode(std::string_view text, std::string* decoded) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+') {
      decoded->push_back(' ');
    } else if (text[i] != '%') {
      decoded->push_back(text[i]);
    } else {
      if (i + 2 >= text.size()) return false;
      const int high = HexDigit(text[i + 1]);
      const int low = HexDigit(text[i + 2]);
      if (high < 0 || low < 0) return false;
      decoded->push_back(static_cast<char>(high * 16 + low));
      i += 2;
    }
  }
  return true;
}

// Cuts the text before the first separator off the front of *rest.
std::string_view CutFront(std::string_view* rest, char separator) {
  const size_t end = rest->find(separator);
  const std::string_view front = rest->substr(0, end);
  rest->remove_prefix(end == std::string_view::npos ? rest->size() : end + 1);
  return front;
}

}  // namespace

std::optional<Query> Query::Parse(std::string_view raw) {
  Query query;
  while (!raw.empty()) {
    std::string_view value = CutFront(&raw, '&');
    if (value.empty()) continue;
    const std::string_view name = CutFront(&value, '=');
    auto& [decoded_name, decoded_value] = query.parameters_.emplace_back();
    if (!Decode(name, &decoded_name) || !Decode(value, &decoded_value)) return std::nullopt;
  }
  return query;
}

const std::string* Query::Find(std::string_view name) const {
  for (const auto& [key, value] : parameters_) {
    if (key == name) return &value;
  }
  return nullptr;
}

std::vector<std::string_view> Query::All(std::string_view name) const {
  std::vector<std::string_view> values;
  for (const auto& [key, value] : parameters_) {
    if (key == name) values.push_back(value);
  }
  return values;
}

int64_t Query::Integer(std::string_view name, int64_t fallback, int64_t min, int64_t max,
                       FieldErrors* errors) const {
  const std::string* text = Find(name);
  if (text == nullptr) return fallback;
  int64_t value = 0;
  const char* end = text->data() + text->size();
  const auto [stop, code] = std::from_chars(text->data(), end, value);
  if (code != std::errc() || stop != end) {
    errors->Add(std::string(name), "must be an integer");
    return fallback;
  }
  if (value < min) {
    errors->Add(std::string(name), "must be greater than or equal to " + std::to_string(min));
    return fallback;
  }
  if (value > max) {
    errors->Add(std::string(name), "must be less than or equal to " + std::to_string(max));
    return fallback;
  }
  return value;
}

bool Query::Bool(std::string_view name, bool fallback, FieldErrors* errors) const {
  const std::string* text = Find(name);
  if (text == nullptr) return fallback;
  if (*text == "true") return true;
  if (*text == "false") return false;
  errors->Add(std::string(name), "must be true or false");
  return fallback;
}

std::string Query::Uuid(std::string_view name, FieldErrors* errors) const {
  const std::string* text = Find(name);
  if (text == nullptr) return {};
  if (!IsUuid(*text)) errors->Add(std::string(name), "must be a UUID");
  return LowerCase(*text);
}

bool MatchesPath(std::string_view pattern, std::string_view path, std::string_view* id) {
  while (!pattern.empty() && !path.empty()) {
    const std::string_view expected = CutFront(&pattern, '/');
    const bool more = path.find('/') != std::string_view::npos;
    const std::string_view segment = CutFront(&path, '/');
    if (expected == "{}") {
      if (segment.empty()) return false;
      *id = segment;
    } else if (expected != segment) {
      return false;
    }
    if (more && path.empty()) return false;  // a trailing slash is another path
  }
  return pattern.empty() && path.empty();
}

std::optional<Url> Url::Parse(std::string_view text) {
  constexpr std::string_view kScheme = "http://";
  Url url;
  url.text = std::string(text);
  if (text.substr(0, kScheme.size()) != kScheme) return std::nullopt;
  text.remove_prefix(kScheme.size());
  const size_t slash = text.find('/');
  std::string_view authority = text.substr(0, slash);
  url.target = slash == std::string_view::npos ? "/" : std::string(text.substr(slash));
  for (const char c : url.text) {
    if (c <= ' ' || c == '#' || c == 0x7f) return std::nullopt;
  }
  const size_t colon = authority.rfind(':');
  url.port = "80";
  if (colon != std::string_view::npos) {
    const std::string_view port = authority.substr(colon + 1);
    int number = 0;
    const auto [stop, code] = std::from_chars(port.data(), port.data() + port.size(), number);
    if (code != std::errc() || stop != port.data() + port.size() || number < 1 || number > 65535) {
      return std::nullopt;
    }
    url.port = std::string(port);
    authority = authority.substr(0, colon);
  }
  if (authority.empty() || authority.find('@') != std::string_view::npos) return std::nullopt;
  url.host = std::string(authority);
  return url;
}

}  // namespace ipp::simulator
