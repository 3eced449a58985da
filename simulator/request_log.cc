#include "simulator/request_log.h"

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

}  // namespace

uint64_t RequestLog::Begin(const Request& request) {
  Entry& entry = entries_.emplace_back();
  entry.sequence = next_++;
  entry.connection = request.connection;
  entry.method = std::string(request.method);
  entry.target = std::string(request.target);
  for (const std::string_view name : kKeptHeaders) {
    const std::string_view value = request.Header(name);
    if (!value.empty()) entry.headers.emplace_back(name, value);
  }
  entry.body_length = request.body.size();
  entry.body = request.body.substr(0, kMaxKeptBody);
  if (entries_.size() > kMaxEntries) entries_.pop_front();
  return entry.sequence;
}

void RequestLog::Finish(uint64_t sequence, AuthorizationForm form, int status,
                        std::string session_id) {
  if (entries_.empty() || sequence < entries_.front().sequence) return;
  const size_t index = sequence - entries_.front().sequence;
  if (index >= entries_.size()) return;
  entries_[index].form = form;
  entries_[index].status = status;
  entries_[index].session_id = std::move(session_id);
}

void RequestLog::Clear() {
  entries_.clear();
  next_ = 1;
}

std::string RequestLog::Render(uint64_t after, size_t limit) const {
  JsonWriter json;
  json.BeginObject();
  json.Key("total").Integer(static_cast<int64_t>(count()));
  json.Key("requests").BeginArray();
  for (const Entry& entry : entries_) {
    if (entry.sequence <= after) continue;
    if (limit-- == 0) break;
    Render(entry, json);
  }
  json.EndArray();
  json.EndObject();
  return json.Take();
}

void RequestLog::Render(const Entry& entry, JsonWriter& json) {
  json.BeginObject();
  json.Key("sequence").Integer(static_cast<int64_t>(entry.sequence));
  json.Key("connection").Integer(entry.connection);
  json.Key("method").String(Printable(entry.method));
  json.Key("target").String(Printable(entry.target));
  json.Key("authorization").String(Name(entry.form));
  json.Key("headers").BeginObject();
  for (const auto& [name, value] : entry.headers) json.Key(name).String(Printable(value));
  json.EndObject();
  json.Key("body_length").Integer(static_cast<int64_t>(entry.body_length));
  json.Key("body").String(Printable(entry.body));
  json.Key("status").Integer(entry.status);
  json.Key("session_id");
  entry.session_id.empty() ? json.Null() : json.String(entry.session_id);
  json.EndObject();
}

}  // namespace ipp::simulator
