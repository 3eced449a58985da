#include "server/console/html.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace ipp::console {
namespace {

constexpr char kStyle[] = R"css(
:root { color-scheme: light dark; --ink: #16203a; --faint: #55607a; --ground: #f5f7fb; --card: #fff;
  --line: #d5dbe7; --accent: #2447c4; --bad: #b3213a; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ecf6; --faint: #a9b4cc; --ground: #0e1322;
  --card: #192136; --line: #34405e; --accent: #9db4ff; --bad: #ff9aa8; } }
* { box-sizing: border-box; }
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--ground); }
header, main { max-width: 72rem; margin: 0 auto; padding: 1rem; }
a { color: var(--accent); }
a:focus-visible, input:focus-visible, select:focus-visible, button:focus-visible {
  outline: 3px solid var(--accent); outline-offset: 2px; }
.skip { position: absolute; left: -99rem; }
.skip:focus { left: 1rem; top: 1rem; background: var(--card); padding: .5rem; }
section { background: var(--card); border: 1px solid var(--line); border-radius: .5rem;
  padding: 1rem; margin: 0 0 1rem; }
h1 { font-size: 1.4rem; margin: 0; }
h2 { font-size: 1.1rem; margin: 0 0 .5rem; }
form { display: flex; flex-wrap: wrap; gap: .75rem; align-items: end; }
form > div { min-width: 0; flex: 0 1 24rem; }
input, select { width: 100%; }
label { display: block; font-size: .9rem; color: var(--faint); }
input, select, button { font: inherit; color: inherit; background: var(--ground);
  border: 1px solid var(--faint); border-radius: .3rem; padding: .4rem .6rem; max-width: 100%; }
button { background: var(--accent); color: var(--card); border-color: var(--accent); }
.table { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
caption { text-align: left; color: var(--faint); font-size: .9rem; padding: .25rem 0; }
th, td { text-align: left; padding: .35rem .75rem .35rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; overflow-wrap: anywhere; min-width: 5rem; }
.bad { color: var(--bad); font-weight: 600; }
.faint { color: var(--faint); }
)css";

bool IsUnreserved(char c) {
  return absl::ascii_isalnum(c) || c == '-' || c == '_' || c == '.' || c == '~';
}

std::string Encoded(absl::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (IsUnreserved(c)) {
      out.push_back(c);
    } else {
      out.push_back('%');
      out.push_back(kHex[static_cast<unsigned char>(c) >> 4]);
      out.push_back(kHex[static_cast<unsigned char>(c) & 15]);
    }
  }
  return out;
}

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = absl::ascii_tolower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// A '%' that begins no escape stays as it is.
std::string Decoded(absl::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && HexValue(text[i + 1]) >= 0 &&
        HexValue(text[i + 2]) >= 0) {
      out.push_back(static_cast<char>(HexValue(text[i + 1]) << 4 | HexValue(text[i + 2])));
      i += 2;
    } else {
      out.push_back(text[i] == '+' ? ' ' : text[i]);
    }
  }
  return out;
}

}  // namespace

Html& Html::Text(absl::string_view text) {
  for (const char c : text) {
    switch (c) {
      case '&':
        out_ += "&amp;";
        break;
      case '<':
        out_ += "&lt;";
        break;
      case '>':
        out_ += "&gt;";
        break;
      case '"':
        out_ += "&quot;";
        break;
      case '\'':
        out_ += "&#39;";
        break;
      default:
        // Control characters have no place in HTML.
        out_.push_back(absl::ascii_iscntrl(static_cast<unsigned char>(c)) && c != '\n' ? ' ' : c);
    }
  }
  return *this;
}

Html& Html::Link(absl::string_view path,
                 const std::vector<std::pair<std::string, std::string>>& parameters,
                 absl::string_view text) {
  Raw("<a href=\"").Raw(path);
  const char* mark = "?";
  for (const auto& [name, value] : parameters) {
    Raw(mark).Raw(name).Raw("=").Raw(Encoded(value));
    mark = "&amp;";
  }
  return Raw("\">").Text(text).Raw("</a>");
}

Html& Html::Table(absl::string_view caption, const std::vector<std::string>& heads,
                  const std::vector<std::vector<std::string>>& rows) {
  Raw("<div class=\"table\" tabindex=\"0\" role=\"region\" aria-label=\"").Text(caption);
  Raw("\"><table><caption>").Text(caption).Raw("</caption><thead><tr>");
  for (const std::string& head : heads) Raw("<th scope=\"col\">").Text(head).Raw("</th>");
  Raw("</tr></thead><tbody>");
  for (const std::vector<std::string>& row : rows) {
    Raw("<tr>");
    for (const std::string& cell : row) Raw("<td>").Raw(cell).Raw("</td>");
    Raw("</tr>");
  }
  return Raw("</tbody></table></div>");
}

std::string Cell(absl::string_view text) { return Html().Text(text).Take(); }

std::string Page(absl::string_view title, absl::string_view body) {
  Html html;
  html.Raw("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">")
      .Raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">")
      .Raw("<title>")
      .Text(title)
      .Raw(" · ipp-gateway</title><style>")
      .Raw(kStyle)
      .Raw("</style></head><body><a class=\"skip\" href=\"#main\">To the content</a>")
      .Raw("<header><h1>")
      .Text(title)
      .Raw("</h1><nav aria-label=\"Pages\"><a href=\"/console\">Overview</a> · ")
      .Raw("<a href=\"/console/day\">Day report</a> · <a href=\"/\">Operator's pages</a></nav>")
      .Raw("</header><main id=\"main\">")
      .Raw(body)
      .Raw("</main></body></html>\n");
  return html.Take();
}

std::vector<std::pair<std::string, std::string>> ParametersOf(absl::string_view target) {
  std::vector<std::pair<std::string, std::string>> parameters;
  const size_t mark = target.find('?');
  if (mark == absl::string_view::npos) return parameters;
  for (const absl::string_view part :
       absl::StrSplit(target.substr(mark + 1), '&', absl::SkipEmpty())) {
    const std::pair<absl::string_view, absl::string_view> pair =
        absl::StrSplit(part, absl::MaxSplits('=', 1));
    parameters.emplace_back(Decoded(pair.first), Decoded(pair.second));
  }
  return parameters;
}

std::string ParameterOf(absl::string_view target, absl::string_view name) {
  for (auto& [key, value] : ParametersOf(target)) {
    if (key == name) return value;
  }
  return "";
}

}  // namespace ipp::console
