#include "server/upstream/problem_body.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "server/json/lenient_text.h"
#include "server/json/scalars.h"

namespace ipp::upstream {
namespace {

using json::Step;

constexpr size_t kMaxCorrelationId = 128;
constexpr size_t kMaxTexts = 32;
constexpr size_t kMaxJsonBytes = 256 * 1024;  // larger bodies are not parsed
// The number of bytes that are examined to recognise the form of a body.
constexpr size_t kFormBytes = 1024;

// Member names in lower case, without `_` and `-`. The first one that is present is used.
constexpr absl::string_view kReasons[] = {"detail",           "message", "errormessage",
                                          "errordescription", "title",   "error"};
constexpr absl::string_view kCorrelationIds[] = {"correlationid", "traceid", "requestid"};
constexpr absl::string_view kCorrelationHeaders[] = {"correlation-id", "x-correlation-id",
                                                     "x-request-id"};
constexpr absl::string_view kErrorLists[] = {"errors", "violations", "invalidparams",
                                             "errormessages"};
constexpr absl::string_view kFieldNames[] = {
    "field", "fieldname", "propertyname", "property", "parameter",
    "param", "path",      "propertypath", "pointer",  "name"};
constexpr absl::string_view kTextNames[] = {"message",        "messages",    "errormessage",
                                            "defaultmessage", "description", "detail",
                                            "reason",         "error",       "msg"};

template <size_t n>
bool IsOneOf(absl::string_view name, const absl::string_view (&names)[n]) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

std::string Plain(absl::string_view key) {
  std::string name;
  for (const char c : key.substr(0, 64)) {
    if (c != '_' && c != '-') name += absl::ascii_tolower(static_cast<unsigned char>(c));
  }
  return name;
}

class JsonProblem {
 public:
  void Visit(absl::Span<const Step> path, absl::string_view value) {
    if (path.empty()) return;
    if (path[0].index >= 0) return VisitError(path, value);  // the root is a list of errors
    const std::string name = Plain(path[0].key);
    if (path.size() == 1) {
      members_.emplace(name, value);
      if (IsOneOf(name, kErrorLists)) AddText(value);
    } else if (IsOneOf(name, kErrorLists)) {
      VisitError(path.subspan(1), value);
    } else if (name == "error" && path.size() == 2) {
      members_.emplace(Plain(path[1].key), value);
    }
  }

  ProblemBody Take() && {
    ProblemBody body;
    body.form = BodyForm::kJson;
    body.words = First(kReasons);
    const std::string& code = members_["errorcode"];
    if (body.words.empty()) body.words = code;
    for (Row& row : rows_) {
      if (row.field.empty() || row.text.empty()) {
        AddText(row.field.empty() ? row.text : row.field);
      } else if (body.errors.size() < kMaxFieldErrors) {
        body.errors.push_back({std::move(row.field), std::move(row.text)});
      }
    }
    std::stable_sort(body.errors.begin(), body.errors.end(),
                     [](const auto& a, const auto& b) { return a.field < b.field; });
    if (!texts_.empty()) {
      absl::StrAppend(&body.words, body.words.empty() ? "" : ": ", absl::StrJoin(texts_, "; "));
    }
    body.correlation_id = First(kCorrelationIds);
    return body;
  }

 private:
  struct Row {
    int index;  // in its list, or -1
    std::string field;
    std::string text;
  };

  // `path` begins at the list or map of errors.
  void VisitError(absl::Span<const Step> path, absl::string_view value) {
    const Step& first = path[0];
    if (first.index < 0) {  // a map from fields
      const bool of_field = path.size() == 1 || (path.size() == 2 && path[1].index >= 0) ||
                            IsOneOf(Plain(path.back().key), kTextNames);
      if (of_field) AddRow({-1, std::string(first.key), std::string(value)});
      return;
    }
    if (path.size() == 1) return AddText(value);
    if (path.size() > 3 || (path.size() == 3 && path[2].index < 0)) return;
    if (rows_.empty() || rows_.back().index != first.index) AddRow({first.index, "", ""});
    if (rows_.empty() || rows_.back().index != first.index) return;  // the limit is reached
    Row& row = rows_.back();
    const std::string name = Plain(path[1].key);
    if (IsOneOf(name, kFieldNames)) {
      if (row.field.empty()) row.field = std::string(value);
    } else if (IsOneOf(name, kTextNames)) {
      absl::StrAppend(&row.text, row.text.empty() ? "" : "; ", value);
    }
  }

  void AddRow(Row row) {
    if (rows_.size() < kMaxFieldErrors) rows_.push_back(std::move(row));
  }
  void AddText(absl::string_view text) {
    if (texts_.size() < kMaxTexts && !text.empty()) texts_.emplace_back(text);
  }
  template <size_t n>
  std::string First(const absl::string_view (&names)[n]) const {
    for (const absl::string_view name : names) {
      const auto member = members_.find(std::string(name));
      if (member != members_.end() && !member->second.empty()) return member->second;
    }
    return "";
  }

  std::map<std::string, std::string> members_;  // of the root, by plain name
  std::vector<Row> rows_;
  std::vector<std::string> texts_;  // texts that belong to no field
};

bool IsCorrelationId(absl::string_view text) {
  return !text.empty() && text.size() <= kMaxCorrelationId &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
                  absl::string_view("-_.:/+=").find(c) != absl::string_view::npos;
         });
}

BodyForm MarkupForm(absl::string_view text, absl::string_view media_type) {
  const std::string begin = absl::AsciiStrToLower(text.substr(0, kFormBytes));
  const bool html = absl::StrContains(media_type, "html") || absl::StrContains(begin, "<html") ||
                    absl::StrContains(begin, "<!doctype html") || absl::StrContains(begin, "<head");
  return html ? BodyForm::kHtml : BodyForm::kXml;
}

ProblemBody ReadBody(const http::HttpResponse& response) {
  ProblemBody body;
  absl::string_view text = response.body;
  absl::ConsumePrefix(&text, json::kByteOrderMark);
  text = absl::StripAsciiWhitespace(text);
  if (text.empty()) return body;
  const std::string media_type = absl::AsciiStrToLower(response.header("content-type"));
  if (text[0] == '<') {
    body.form = MarkupForm(text, media_type);
    return body;
  }
  if (text[0] == '{' || text[0] == '[') {
    JsonProblem problem;
    json::ReadOptions options;
    options.max_bytes = kMaxJsonBytes;
    const auto visit = [&](absl::Span<const Step> path, absl::string_view value) {
      problem.Visit(path, value);
    };
    if (json::VisitScalars(text, visit, options).ok()) return std::move(problem).Take();
  }
  body.form = absl::StartsWith(media_type, "text/plain") ? BodyForm::kText : BodyForm::kOther;
  if (body.form == BodyForm::kText) body.words = std::string(text);
  return body;
}

}  // namespace

ProblemBody ReadProblemBody(const http::HttpResponse& response) {
  ProblemBody body = ReadBody(response);
  if (IsCorrelationId(body.correlation_id)) return body;
  body.correlation_id.clear();
  for (const absl::string_view name : kCorrelationHeaders) {
    const absl::string_view value = response.header(name);
    if (!IsCorrelationId(value)) continue;
    body.correlation_id = std::string(value);
    break;
  }
  return body;
}

absl::string_view FormName(BodyForm form) {
  switch (form) {
    case BodyForm::kEmpty:
      return "an empty body";
    case BodyForm::kHtml:
      return "an HTML page, probably from a proxy or a firewall in between";
    case BodyForm::kXml:
      return "an XML document, probably from a proxy or a firewall in between";
    case BodyForm::kOther:
      return "a body that is not JSON";
    case BodyForm::kJson:
    case BodyForm::kText:
      break;
  }
  return "";
}

}  // namespace ipp::upstream
