#pragma once

#include <chrono>
#include <functional>
#include <optional>

#include "simulator/api.h"
#include "simulator/dialects.h"
#include "simulator/faults.h"
#include "simulator/http.h"
#include "simulator/request_log.h"

namespace ipp::simulator {

// Every API request passes here on its way to Api: it is noted in the log, answered in the dialects
// in force, and what the rules want to go wrong with it does. Works with any server that asks at
// the three points below, on the loop's thread.
class FaultGate {
 public:
  using RunAfter = std::function<void(std::chrono::milliseconds, std::function<void()>)>;

  FaultGate(Api& api, RequestLog& requests, Faults& faults, const Dialects& dialects,
            RunAfter run_after)
      : api_(api),
        requests_(requests),
        faults_(faults),
        dialects_(dialects),
        run_after_(std::move(run_after)) {}

  // At a new connection: a value if it is to be reset, and how long to refuse others after it.
  std::optional<std::chrono::milliseconds> Refuse();

  // At the head of a request: chooses its fault.
  Admission Admit(Request& request);

  // At a whole request.
  void Answer(Request& request, Responder respond);

 private:
  Response Execute(const Request& request, RequestLog::Outcome* outcome);
  Response Spoil(const Request& request, const FaultRule& fault, RequestLog::Outcome* outcome);

  Api& api_;
  RequestLog& requests_;
  Faults& faults_;
  const Dialects& dialects_;
  const RunAfter run_after_;
};

}  // namespace ipp::simulator
