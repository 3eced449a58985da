#include "client/ippctl/json_path.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "client/ippctl/json_text.h"

namespace ipp::ippctl {
namespace {

struct Step {
  enum class Kind { kMember, kSlice, kFilter };
  Kind kind = Kind::kMember;
  std::string name = {};              // kMember
  std::optional<int64_t> begin = {};  // kSlice; absent: from the first
  std::optional<int64_t> end = {};    // absent: to the last
  std::vector<Step> path = {};        // kFilter
  std::string value = {};
  bool equal = true;
};

using Nodes = std::vector<YAML::Node>;

std::string ScalarOrJson(const YAML::Node& node, bool inside) {
  switch (node.Type()) {
    case YAML::NodeType::Map: {
      std::string text;
      for (const auto& member : node) {
        absl::StrAppend(&text, text.empty() ? "" : ",", JsonString(member.first.Scalar()), ":",
                        ScalarOrJson(member.second, true));
      }
      return absl::StrCat("{", text, "}");
    }
    case YAML::NodeType::Sequence: {
      std::string text;
      for (const auto& item : node) {
        absl::StrAppend(&text, text.empty() ? "" : ",", ScalarOrJson(item, true));
      }
      return absl::StrCat("[", text, "]");
    }
    case YAML::NodeType::Scalar:
      return inside && node.Tag() == "!" ? JsonString(node.Scalar()) : node.Scalar();
    default:
      return inside ? "null" : "";
  }
}

Nodes Select(const YAML::Node& from, const std::vector<Step>& path);

// The children of `node` that `step` picks.
void Take(const YAML::Node& node, const Step& step, Nodes* out) {
  if (step.kind == Step::Kind::kMember) {
    if (node.IsMap() && node[step.name]) out->push_back(node[step.name]);
    return;
  }
  Nodes children;
  if (node.IsSequence()) {
    for (const auto& item : node) children.push_back(item);
  } else if (node.IsMap()) {
    for (const auto& member : node) children.push_back(member.second);
  }
  if (step.kind == Step::Kind::kFilter) {
    for (const YAML::Node& child : children) {
      const Nodes found = Select(child, step.path);
      const bool is = !found.empty() && ScalarOrJson(found.front(), false) == step.value;
      if (is == step.equal) out->push_back(child);
    }
    return;
  }
  const auto size = static_cast<int64_t>(children.size());
  const auto place = [size](int64_t i) { return i < 0 ? std::max<int64_t>(i + size, 0) : i; };
  const int64_t begin = step.begin ? place(*step.begin) : 0;
  const int64_t end = step.end ? place(*step.end) : size;
  for (int64_t i = begin; i < std::min(end, size); ++i) {
    out->push_back(children[static_cast<size_t>(i)]);
  }
}

Nodes Select(const YAML::Node& from, const std::vector<Step>& path) {
  Nodes nodes = {from};
  for (const Step& step : path) {
    Nodes next;
    for (const YAML::Node& node : nodes) Take(node, step, &next);
    nodes = std::move(next);
  }
  return nodes;
}

}  // namespace

struct JsonPath::Part {
  enum class Kind { kText, kPath, kRange };
  Kind kind = Kind::kText;
  std::string text = {};
  std::vector<Step> path = {};
  std::vector<Part> parts = {};  // of a range: what is printed for each value

  void Print(const YAML::Node& node, std::string* out) const {
    if (kind == Kind::kText) {
      absl::StrAppend(out, text);
      return;
    }
    bool first = true;
    for (const YAML::Node& value : Select(node, path)) {
      if (kind == Kind::kPath) {
        absl::StrAppend(out, std::exchange(first, false) ? "" : " ", ScalarOrJson(value, false));
      } else {
        for (const Part& part : parts) part.Print(value, out);
      }
    }
  }
};

struct JsonPath::Parser {
  absl::string_view rest;

  static absl::Status Wrong(absl::string_view what) { return absl::InvalidArgumentError(what); }

  // Up to the end, or to {end} when `in_range`.
  absl::Status Template(bool in_range, std::vector<Part>* parts) {
    while (!rest.empty()) {
      if (rest.front() != '{') {
        const absl::string_view text = rest.substr(0, rest.find('{'));
        rest.remove_prefix(text.size());
        parts->push_back({.kind = Part::Kind::kText, .text = std::string(text)});
        continue;
      }
      const size_t close = Closing();
      if (close == absl::string_view::npos) return Wrong("a { has no }");
      absl::string_view inside = rest.substr(1, close - 1);
      rest.remove_prefix(close + 1);
      inside = absl::StripAsciiWhitespace(inside);
      if (inside == "end") {
        return in_range ? absl::OkStatus() : Wrong("{end} has no {range}");
      }
      Part part;
      if (absl::ConsumePrefix(&inside, "range ")) {
        part.kind = Part::Kind::kRange;
      } else if (!inside.empty() && (inside.front() == '"' || inside.front() == '\'')) {
        auto text = Quoted(&inside);
        if (!text || !inside.empty()) return Wrong("a text has no closing quote");
        parts->push_back({.kind = Part::Kind::kText, .text = *std::move(text)});
        continue;
      } else {
        part.kind = Part::Kind::kPath;
      }
      if (absl::Status status = Path(absl::StripAsciiWhitespace(inside), &part.path);
          !status.ok()) {
        return status;
      }
      if (part.kind == Part::Kind::kRange) {
        if (absl::Status status = Template(true, &part.parts); !status.ok()) return status;
      }
      parts->push_back(std::move(part));
    }
    return in_range ? Wrong("{range} has no {end}") : absl::OkStatus();
  }

  // Where the brace at the front is closed; quotes may hold braces.
  size_t Closing() const {
    char quote = '\0';
    for (size_t i = 1; i < rest.size(); ++i) {
      const char c = rest[i];
      if (quote != '\0') {
        if (c == '\\') ++i;
        if (c == quote) quote = '\0';
      } else if (c == '"' || c == '\'') {
        quote = c;
      } else if (c == '}') {
        return i;
      }
    }
    return absl::string_view::npos;
  }

  // Takes a quoted text off the front.
  static std::optional<std::string> Quoted(absl::string_view* from) {
    const char quote = from->front();
    std::string text;
    for (size_t i = 1; i < from->size(); ++i) {
      char c = (*from)[i];
      if (c == quote) {
        from->remove_prefix(i + 1);
        return text;
      }
      if (c == '\\' && i + 1 < from->size()) {
        c = (*from)[++i];
        c = c == 'n' ? '\n' : c == 't' ? '\t' : c;
      }
      text += c;
    }
    return std::nullopt;
  }

  static absl::Status Path(absl::string_view text, std::vector<Step>* path) {
    const std::string whole(text);
    absl::ConsumePrefix(&text, "$");
    if (text == ".") return absl::OkStatus();
    if (!text.empty() && text.front() != '.' && text.front() != '[') text = whole;
    bool may_be_bare = !text.empty() && text.front() != '.';
    while (!text.empty()) {
      if (text.front() == '[') {
        const size_t close = text.find(text.size() > 1 && text[1] == '?' ? ")]" : "]");
        if (close == absl::string_view::npos) return Wrong(absl::StrCat("no ] in ", whole));
        const size_t length = text[1] == '?' ? close + 1 : close;
        auto step = Brackets(absl::StripAsciiWhitespace(text.substr(1, length - 1)));
        if (!step.ok()) return step.status();
        path->push_back(*std::move(step));
        text.remove_prefix(length + 1);
      } else {
        if (!absl::ConsumePrefix(&text, ".") && !may_be_bare) {
          return Wrong(absl::StrCat(whole, " is not a path"));
        }
        if (!text.empty() && text.front() == '[') continue;  // .[0]
        const absl::string_view name = text.substr(0, text.find_first_of(".["));
        if (name.empty() || absl::StrContains(name, ' ')) {
          return Wrong(absl::StrCat(whole, " is not a path"));
        }
        text.remove_prefix(name.size());
        path->push_back(name == "*" ? Step{.kind = Step::Kind::kSlice}
                                    : Step{.name = std::string(name)});
      }
      may_be_bare = false;
    }
    return path->empty() ? Wrong("a path is empty") : absl::OkStatus();
  }

  static absl::StatusOr<Step> Brackets(absl::string_view inside) {
    if (inside == "*") return Step{.kind = Step::Kind::kSlice};
    if (!inside.empty() && (inside.front() == '\'' || inside.front() == '"')) {
      auto name = Quoted(&inside);
      if (!name || !inside.empty()) return Wrong("a name in brackets has no closing quote");
      return Step{.name = *std::move(name)};
    }
    if (absl::ConsumePrefix(&inside, "?(") && absl::ConsumeSuffix(&inside, ")")) {
      return Filter(inside);
    }
    Step step{.kind = Step::Kind::kSlice};
    const auto number = [](absl::string_view text, std::optional<int64_t>* value) {
      int64_t parsed = 0;
      if (text.empty()) return true;
      if (!absl::SimpleAtoi(text, &parsed)) return false;
      *value = parsed;
      return true;
    };
    const size_t colon = inside.find(':');
    bool good = !inside.empty() && number(inside.substr(0, colon), &step.begin);
    if (colon != absl::string_view::npos) {
      good = good && number(inside.substr(colon + 1), &step.end);
    } else if (good && step.begin != -1) {
      step.end = *step.begin + 1;
    }
    if (!good) return Wrong(absl::StrCat("[", inside, "] is neither a name, a number nor *"));
    return step;
  }

  static absl::StatusOr<Step> Filter(absl::string_view inside) {
    const bool equal = absl::StrContains(inside, "==");
    const size_t at = inside.find(equal ? "==" : "!=");
    if (at == absl::string_view::npos) return Wrong("a filter is (@.path==\"text\")");
    absl::string_view path = absl::StripAsciiWhitespace(inside.substr(0, at));
    absl::string_view value = absl::StripAsciiWhitespace(inside.substr(at + 2));
    Step step{.kind = Step::Kind::kFilter, .equal = equal};
    if (!absl::ConsumePrefix(&path, "@")) return Wrong("a filter begins with @");
    if (absl::Status status = Path(path, &step.path); !status.ok()) return status;
    if (!value.empty() && (value.front() == '"' || value.front() == '\'')) {
      auto text = Quoted(&value);
      if (!text) return Wrong("a filter's text has no closing quote");
      step.value = *std::move(text);
    } else {
      step.value = std::string(value);
    }
    return step;
  }
};

JsonPath::JsonPath() : root_(std::make_unique<Part>()) {}
JsonPath::~JsonPath() = default;
JsonPath::JsonPath(JsonPath&&) noexcept = default;
JsonPath& JsonPath::operator=(JsonPath&&) noexcept = default;

absl::StatusOr<JsonPath> JsonPath::Parse(absl::string_view text) {
  const std::string whole =
      absl::StrContains(text, '{') ? std::string(text) : absl::StrCat("{", text, "}");
  JsonPath path;
  path.root_->kind = Part::Kind::kRange;
  Parser parser{whole};
  if (const absl::Status status = parser.Template(false, &path.root_->parts); !status.ok()) {
    return status;
  }
  return path;
}

std::string JsonPath::Apply(const std::string& json) const {
  std::string out;
  root_->Print(YAML::Load(json), &out);
  if (!out.empty() && out.back() != '\n') out += '\n';
  return out;
}

}  // namespace ipp::ippctl
