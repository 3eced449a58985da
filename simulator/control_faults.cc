#include "simulator/control.h"
#include "simulator/problem.h"

namespace ipp::simulator {
namespace {

Response RulesResponse(const Faults& faults) {
  Response response;
  response.body = faults.Render();
  return response;
}

}  // namespace

Response Control::ListFaults(Call&) { return RulesResponse(faults_); }

Response Control::ReplaceFaults(Call& call) {
  Response problem;
  const auto body = Body::Parse(call.request, &problem);
  if (body == nullptr) return problem;
  faults_.Replace(*body);
  return body->errors().empty() ? RulesResponse(faults_) : ValidationProblem(body->errors());
}

Response Control::AppendFaults(Call& call) {
  Response problem;
  const auto body = Body::Parse(call.request, &problem);
  if (body == nullptr) return problem;
  faults_.Append(*body);
  return body->errors().empty() ? RulesResponse(faults_) : ValidationProblem(body->errors());
}

Response Control::ClearFaults(Call&) {
  faults_.Clear();
  Response response;
  response.status = 204;
  return response;
}

Response Control::ListDialects(Call&) {
  Response response;
  response.body = dialects_.Render();
  return response;
}

Response Control::SetDialects(Call& call) {
  Response problem;
  const auto body = Body::Parse(call.request, &problem);
  if (body == nullptr) return problem;
  const auto names = body->fields().Strings("names").value_or(std::vector<std::string>());
  body->fields().RefuseOthersThan({"names"});
  std::string error;
  if (body->errors().empty() && !dialects_.Set(names, &error)) {
    body->fields().Error("names", error);
  }
  return body->errors().empty() ? ListDialects(call) : ValidationProblem(body->errors());
}

}  // namespace ipp::simulator
