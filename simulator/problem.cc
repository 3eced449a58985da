#include "simulator/problem.h"

#include "simulator/json_writer.h"

namespace ipp::simulator {
namespace {

Response Problem(int status, std::string_view title, std::string_view detail,
                 const FieldErrors* errors) {
  JsonWriter json;
  json.BeginObject();
  json.Key("type").String("about:blank");
  json.Key("title").String(title);
  json.Key("status").Integer(status);
  json.Key("detail").String(detail);
  if (errors != nullptr) {
    json.Key("errors").BeginObject();
    for (const auto& [field, message] : errors->entries()) json.Key(field).String(message);
    json.EndObject();
  }
  json.EndObject();
  Response response;
  response.status = status;
  response.body = json.Take();
  response.content_type = "application/problem+json";
  return response;
}

}  // namespace

void FieldErrors::Add(std::string field, std::string message) {
  for (const auto& entry : entries_) {
    if (entry.first == field) return;
  }
  entries_.emplace_back(std::move(field), std::move(message));
}

Response ProblemResponse(int status, std::string_view title, std::string_view detail) {
  return Problem(status, title, detail, nullptr);
}

Response ValidationProblem(const FieldErrors& errors) {
  return Problem(400, "Validation Failed", "The request has invalid fields.", &errors);
}

Response NotFoundProblem(std::string_view what) {
  return ProblemResponse(404, "Not Found", std::string(what) + " not found.");
}

Response ConflictProblem(std::string_view detail) {
  return ProblemResponse(409, "Conflict", detail);
}

Response FullProblem() {
  return ProblemResponse(503, "Service Unavailable", "The simulator holds all it can; restart it.");
}

Response LargeHeaderProblem() {
  return ProblemResponse(431, "Request Header Fields Too Large",
                         "The header is larger than this server reads.");
}

Response LargeBodyProblem() {
  return ProblemResponse(413, "Payload Too Large", "The body is larger than this server reads.");
}

}  // namespace ipp::simulator
