#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "simulator/http.h"
#include "simulator/problem.h"
#include "simulator/world.h"

namespace boost::json {
class object;
class value;
}  // namespace boost::json

namespace ipp::simulator {

inline constexpr bool kRequired = true;
inline constexpr bool kOptional = false;
inline constexpr bool kMayBeEmpty = true;

// Reads the fields of a JSON object and notes errors in one FieldErrors. A null counts as absent.
// Unknown fields are ignored, unless RefuseOthersThan is called.
class Fields {
 public:
  // `object` and `errors` must outlive this; `prefix` goes before each field name in errors.
  Fields(const boost::json::object& object, std::string prefix, FieldErrors& errors)
      : object_(object), prefix_(std::move(prefix)), errors_(errors) {}

  bool Has(std::string_view name) const { return Find(name, kOptional) != nullptr; }
  std::optional<std::string> String(std::string_view name, bool required);
  // Also refuses text of nothing but blanks.
  std::optional<std::string> NonBlank(std::string_view name, bool required);
  std::optional<std::string> Uuid(std::string_view name, bool required);  // lower case
  std::optional<std::string> DateTime(std::string_view name);
  std::optional<int64_t> Integer(std::string_view name, bool required);
  std::optional<double> Number(std::string_view name);
  std::optional<bool> Bool(std::string_view name);
  Metadata StringMap(std::string_view name);
  // Calls `each` for every object of an array; elements that are none are errors.
  void Objects(std::string_view name, const std::function<void(Fields&)>& each,
               bool may_be_empty = false);
  // Every element of an array of strings; nullopt (and an error) if it is not that.
  std::optional<std::vector<std::string>> Strings(std::string_view name);

  // Fields with other names are errors, for what is closed unlike the API's own bodies.
  void RefuseOthersThan(std::initializer_list<std::string_view> names);

  void Error(std::string_view name, std::string message);

 private:
  const boost::json::value* Find(std::string_view name, bool required) const;

  const boost::json::object& object_;
  const std::string prefix_;
  FieldErrors& errors_;
};

// A request body that must be one JSON object.
class Body {
 public:
  // On failure the body is empty and *problem is what to answer: 415 when the content type is not
  // JSON, 400 when the text is not one JSON object.
  static std::unique_ptr<Body> Parse(const Request& request, Response* problem);
  // Null when the text is not one JSON object.
  static std::unique_ptr<Body> Parse(std::string_view text);
  ~Body();

  Fields& fields() { return *fields_; }
  FieldErrors& errors() { return errors_; }

 private:
  struct Document;
  Body();

  std::unique_ptr<Document> document_;
  FieldErrors errors_;
  std::optional<Fields> fields_;
};

}  // namespace ipp::simulator
