#include "simulator/fields.h"

#include <algorithm>
#include <boost/json/monotonic_resource.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <boost/system/error_code.hpp>

namespace ipp::simulator {
namespace {

namespace json = boost::json;

constexpr size_t kMaxDepth = 16;

json::string_view Key(std::string_view name) { return {name.data(), name.size()}; }
std::string Text(const json::string& text) { return {text.data(), text.size()}; }

bool IsJson(std::string_view content_type) {
  std::string_view type = content_type.substr(0, content_type.find(';'));
  while (!type.empty() && type.back() == ' ') type.remove_suffix(1);
  return EqualsIgnoringCase(type, "application/json");
}

}  // namespace

const json::value* Fields::Find(std::string_view name, bool required) const {
  const json::value* value = object_.if_contains(Key(name));
  if (value != nullptr && !value->is_null()) return value;
  if (required) errors_.Add(prefix_ + std::string(name), "must not be null");
  return nullptr;
}

void Fields::Error(std::string_view name, std::string message) {
  errors_.Add(prefix_ + std::string(name), std::move(message));
}

std::optional<std::string> Fields::String(std::string_view name, bool required) {
  const json::value* value = Find(name, required);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) {
    Error(name, "must be a string");
    return std::nullopt;
  }
  return Text(value->get_string());
}

std::optional<std::string> Fields::NonBlank(std::string_view name, bool required) {
  auto text = String(name, required);
  if (text && text->find_first_not_of(" \t\r\n") == std::string::npos) {
    Error(name, "must not be blank");
    return std::nullopt;
  }
  return text;
}

std::optional<std::string> Fields::Uuid(std::string_view name, bool required) {
  const auto text = String(name, required);
  if (!text) return std::nullopt;
  if (!IsUuid(*text)) {
    Error(name, "must be a UUID");
    return std::nullopt;
  }
  return LowerCase(*text);
}

std::optional<std::string> Fields::DateTime(std::string_view name) {
  auto text = String(name, kOptional);
  if (text && !IsDateTime(*text)) {
    Error(name, "must be an ISO 8601 date-time");
    return std::nullopt;
  }
  return text;
}

std::optional<int64_t> Fields::Integer(std::string_view name, bool required) {
  const json::value* value = Find(name, required);
  if (value == nullptr) return std::nullopt;
  if (value->is_int64()) return value->get_int64();
  Error(name, value->is_uint64() ? "is too large" : "must be an integer");
  return std::nullopt;
}

std::optional<double> Fields::Number(std::string_view name) {
  const json::value* value = Find(name, kOptional);
  if (value == nullptr) return std::nullopt;
  boost::system::error_code error;
  const auto number = value->to_number<double>(error);
  if (!error) return number;
  Error(name, "must be a number");
  return std::nullopt;
}

std::optional<bool> Fields::Bool(std::string_view name) {
  const json::value* value = Find(name, kOptional);
  if (value == nullptr) return std::nullopt;
  if (value->is_bool()) return value->get_bool();
  Error(name, "must be true or false");
  return std::nullopt;
}

void Fields::RefuseOthersThan(std::initializer_list<std::string_view> names) {
  for (const auto& entry : object_) {
    const std::string_view key(entry.key().data(), entry.key().size());
    if (std::find(names.begin(), names.end(), key) == names.end()) Error(key, "is not known");
  }
}

Metadata Fields::StringMap(std::string_view name) {
  Metadata map;
  const json::value* value = Find(name, kOptional);
  if (value == nullptr) return map;
  if (!value->is_object()) {
    Error(name, "must be an object");
    return map;
  }
  for (const auto& entry : value->get_object()) {
    const std::string key(entry.key().data(), entry.key().size());
    if (entry.value().is_string()) {
      map.emplace(key, Text(entry.value().get_string()));
    } else {
      Error(std::string(name) + "." + key, "must be a string");
    }
  }
  return map;
}

void Fields::Objects(std::string_view name, const std::function<void(Fields&)>& each,
                     bool may_be_empty) {
  const json::value* value = Find(name, kRequired);
  if (value == nullptr) return;
  if (!value->is_array()) return Error(name, "must be an array");
  const json::array& array = value->get_array();
  if (array.empty() && !may_be_empty) return Error(name, "must not be empty");
  for (size_t i = 0; i < array.size(); ++i) {
    const std::string element = std::string(name) + "[" + std::to_string(i) + "]";
    if (!array[i].is_object()) {
      Error(element, "must be an object");
      continue;
    }
    Fields fields(array[i].get_object(), prefix_ + element + ".", errors_);
    each(fields);
  }
}

std::optional<std::vector<std::string>> Fields::Strings(std::string_view name) {
  const json::value* value = Find(name, kRequired);
  if (value == nullptr) return std::nullopt;
  std::vector<std::string> strings;
  const json::array* array = value->if_array();
  for (size_t i = 0; array != nullptr && i < array->size(); ++i) {
    if ((*array)[i].is_string()) strings.push_back(Text((*array)[i].get_string()));
  }
  if (array == nullptr || strings.size() != array->size()) {
    Error(name, "must be an array of strings");
    return std::nullopt;
  }
  return strings;
}

struct Body::Document {
  json::monotonic_resource memory;
  json::value root = json::value(json::storage_ptr(&memory));
};

Body::Body() : document_(std::make_unique<Document>()) {}
Body::~Body() = default;

std::unique_ptr<Body> Body::Parse(const Request& request, Response* problem) {
  if (!IsJson(request.Header("content-type"))) {
    *problem = ProblemResponse(415, "Unsupported Media Type", "Send the body as application/json.");
    return nullptr;
  }
  auto body = Parse(request.body);
  if (body == nullptr)
    *problem = ProblemResponse(400, "Bad Request", "The body is not a JSON object.");
  return body;
}

std::unique_ptr<Body> Body::Parse(std::string_view text) {
  std::unique_ptr<Body> body(new Body);
  json::parse_options options;
  options.max_depth = kMaxDepth;
  boost::system::error_code error;
  body->document_->root =
      json::parse(Key(text), error, json::storage_ptr(&body->document_->memory), options);
  if (error || !body->document_->root.is_object()) return nullptr;
  body->fields_.emplace(body->document_->root.get_object(), "", body->errors_);
  return body;
}

}  // namespace ipp::simulator
