#include "simulator/request_log.h"

#include <algorithm>

#include "simulator/fault_rule.h"

namespace ipp::simulator {
namespace {

constexpr std::string_view kKeptHeaders[] = {"traceparent",   "tracestate",   "user-agent",
                                             "x-merchant-id", "x-request-id", "content-type",
                                             "accept",        "expect"};

// Header values and bodies come from outside and need not be UTF-8, which JSON must be.
std::string Printable(std::string_view text) {
  std::string printable(text);
  for (char& c : printable) {
    if (static_cast<unsigned char>(c) >= 0x80) c = '?';
  }
  return printable;
}

// The value of the first member of that name, unparsed; a body that was cut or is not JSON may have
// one too. Within a JSON string a quoted name has its quotes escaped.
std::string ReferenceIn(std::string_view body) {
  constexpr std::string_view kName = R"("merchant_reference1")";
  constexpr std::string_view kBlank = " \t\r\n";
  size_t at = body.find(kName);
  if (at == std::string_view::npos) return {};
  at = body.find_first_not_of(kBlank, at + kName.size());
  if (at == std::string_view::npos || body[at] != ':') return {};
  at = body.find_first_not_of(kBlank, at + 1);
  if (at == std::string_view::npos || body[at] != '"') return {};
  const size_t begin = at + 1;
  for (at = begin; at < body.size() && body[at] != '"'; ++at) {
    if (body[at] == '\\') ++at;
  }
  return std::string(body.substr(begin, std::min(at, body.size()) - begin));
}

}  // namespace

uint64_t RequestLog::Begin(const Request& request) {
  Entry& entry = entries_.emplace_back();
  entry.sequence = next_++;
  entry.connection = request.connection;
  entry.protocol = request.protocol;
  entry.method = std::string(request.method);
  entry.target = std::string(request.target);
  for (const std::string_view name : kKeptHeaders) {
    const std::string_view value = request.Header(name);
    if (!value.empty()) entry.headers.emplace_back(name, value);
  }
  entry.body_length = request.body.size();
  entry.body = request.body.substr(0, kMaxKeptBody);
  entry.reference = ReferenceIn(request.body);
  if (request.fault != nullptr) entry.fault = Name(request.fault->kind);
  if (entries_.size() > max_entries_) entries_.pop_front();
  return entry.sequence;
}

void RequestLog::Finish(uint64_t sequence, Outcome outcome) {
  if (entries_.empty() || sequence < entries_.front().sequence) return;
  const size_t index = sequence - entries_.front().sequence;
  if (index < entries_.size()) entries_[index].outcome = std::move(outcome);
}

void RequestLog::Clear() {
  entries_.clear();
  next_ = 1;
}

std::string RequestLog::Render(uint64_t after, size_t limit, const std::string* reference) const {
  int64_t matching = 0;
  JsonWriter json;
  json.BeginObject();
  json.Key("total").Integer(static_cast<int64_t>(count()));
  json.Key("requests").BeginArray();
  for (const Entry& entry : entries_) {
    if (entry.sequence <= after) continue;
    if (reference != nullptr && entry.reference != *reference) continue;
    ++matching;
    if (limit == 0) continue;
    --limit;
    Render(entry, json);
  }
  json.EndArray();
  json.Key("matching").Integer(matching);
  json.EndObject();
  return json.Take();
}

void RequestLog::Render(const Entry& entry, JsonWriter& json) {
  json.BeginObject();
  json.Key("sequence").Integer(static_cast<int64_t>(entry.sequence));
  json.Key("connection").Integer(entry.connection);
  json.Key("protocol").String(entry.protocol);
  json.Key("method").String(Printable(entry.method));
  json.Key("target").String(Printable(entry.target));
  json.Key("authorization").String(Name(entry.outcome.form));
  json.Key("headers").BeginObject();
  for (const auto& [name, value] : entry.headers) json.Key(name).String(Printable(value));
  json.EndObject();
  json.Key("body_length").Integer(static_cast<int64_t>(entry.body_length));
  json.Key("body").String(Printable(entry.body));
  json.Key("fault");
  entry.fault.empty() ? json.Null() : json.String(entry.fault);
  json.Key("executed").Bool(entry.outcome.executed);
  json.Key("status").Integer(entry.outcome.status);
  json.Key("session_id");
  entry.outcome.session_id.empty() ? json.Null() : json.String(entry.outcome.session_id);
  json.EndObject();
}

}  // namespace ipp::simulator
