#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "simulator/http.h"

namespace ipp::simulator {

// Field name to message, in the order found. Only the first message of a field is kept.
class FieldErrors {
 public:
  void Add(std::string field, std::string message);
  bool empty() const { return entries_.empty(); }
  const std::vector<std::pair<std::string, std::string>>& entries() const { return entries_; }

 private:
  std::vector<std::pair<std::string, std::string>> entries_;
};

// RFC 7807 bodies in the shape that clients of the real service read: title, status, detail, and
// for refused input a map "errors".
Response ProblemResponse(int status, std::string_view title, std::string_view detail);
Response ValidationProblem(const FieldErrors& errors);
Response NotFoundProblem(std::string_view what);
Response ConflictProblem(std::string_view detail);
Response FullProblem();         // 503: a collection has reached its bound
Response LargeHeaderProblem();  // 431
Response LargeBodyProblem();    // 413

}  // namespace ipp::simulator
