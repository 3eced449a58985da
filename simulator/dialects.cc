#include "simulator/dialects.h"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <boost/system/error_code.hpp>
#include <utility>

#include "simulator/json_writer.h"

namespace ipp::simulator {

bool Dialects::Set(const std::vector<std::string>& names, std::string* error) {
  std::vector<const Dialect*> wanted;
  for (const std::string& name : names) {
    const Dialect* dialect = FindDialect(name);
    if (dialect == nullptr) {
      *error = "there is no dialect '" + name + "'";
      return false;
    }
    wanted.push_back(dialect);
  }
  // All rows stand in one vector.
  std::sort(wanted.begin(), wanted.end());
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  active_ = std::move(wanted);
  return true;
}

void Dialects::Word(std::string_view operation, Response* response) const {
  if (active_.empty()) return;
  response->body = WordBody(std::move(response->body),
                            response->status >= 400 ? Speech::kError : Speech::kAnswer);
  for (const Dialect* dialect : active_) {
    if (dialect->answer) dialect->answer(operation, *response);
  }
}

std::string Dialects::WordEvent(std::string body) const {
  return active_.empty() ? body : WordBody(std::move(body), Speech::kEvent);
}

void Dialects::WordHeader(WebhookRequest* request) const {
  for (const Dialect* dialect : active_) {
    if (dialect->event) dialect->event(*request);
  }
}

std::string Dialects::WordBody(std::string body, Speech speech) const {
  if (body.empty()) return body;
  boost::system::error_code error;
  boost::json::value value = boost::json::parse(body, error);
  if (error) return body;
  for (const Dialect* dialect : active_) {
    if (dialect->edit) dialect->edit(value, speech);
  }
  std::string text = boost::json::serialize(value);
  for (const Dialect* dialect : active_) {
    if (dialect->write) text = dialect->write(std::move(text));
  }
  return text;
}

std::string Dialects::Render() const {
  JsonWriter json;
  json.BeginObject().Key("dialects").BeginArray();
  for (const Dialect& dialect : DialectTable()) {
    const bool active = std::find(active_.begin(), active_.end(), &dialect) != active_.end();
    json.BeginObject();
    json.Key("name").String(dialect.name);
    json.Key("what").String(dialect.what);
    json.Key("keeps_references").Bool(dialect.keeps_references);
    json.Key("active").Bool(active);
    json.EndObject();
  }
  json.EndArray().EndObject();
  return json.Take();
}

std::vector<std::string> SplitNames(std::string_view text) {
  std::vector<std::string> names;
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    if (comma > 0) names.emplace_back(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return names;
}

std::string DialectsHelp() {
  std::string help;
  for (const Dialect& dialect : DialectTable()) {
    std::string name(dialect.name);
    name.resize(std::max<size_t>(name.size() + 1, 24), ' ');
    help.append(name).append(dialect.what).append("\n");
  }
  return help;
}

}  // namespace ipp::simulator
