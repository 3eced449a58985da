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

// Every API request passes through here on its way to Api. The gate logs the request, applies the
// active dialects to its answer, and injects the faults of the rules. Works with any server that
// calls the three functions below, on the loop's thread.
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

  // Call it for a new connection. A value means: reset the connection, and refuse others for that
  // time.
  std::optional<std::chrono::milliseconds> Refuse();

  // Call it when the head of a request was read: chooses its fault.
  Admission Admit(Request& request);

  // Call it when the whole request was read.
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
