#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "simulator/dialects.h"
#include "simulator/faults.h"
#include "simulator/http.h"
#include "simulator/request_log.h"
#include "simulator/uri.h"
#include "simulator/webhook_queue.h"
#include "simulator/world.h"

namespace ipp::simulator {

// The operations under /_sim/: they act for the clerk, the phone and the clock, and show tests the
// internal state. Without authorization, so the simulator belongs on loopback or a test network.
class Control {
 public:
  // `close_unused` ends the connections of the API that have no request under way, and counts them.
  Control(World& world, RequestLog& requests, WebhookQueue& webhooks, Faults& faults,
          Dialects& dialects, std::function<int()> close_unused)
      : world_(world),
        requests_(requests),
        webhooks_(webhooks),
        faults_(faults),
        dialects_(dialects),
        close_unused_(std::move(close_unused)) {}

  Response Handle(const Request& request);

 private:
  struct Call {
    const Request& request;
    std::string id;  // from the path
    Query query;
    FieldErrors errors;
  };
  struct Route {
    std::string_view method;
    std::string_view pattern;
    Response (Control::*handler)(Call&);
  };
  static const std::vector<Route>& Routes();

  // Null: there is none. What is found is settled.
  Session* FindSession(std::string_view id);

  Response GetState(Call& call);
  Response Activate(Call& call) { return Step(call, SessionStep::kActivate); }
  Response ClerkCancel(Call& call) { return Step(call, SessionStep::kCancel); }
  Response Expire(Call& call) { return Step(call, SessionStep::kExpire); }
  Response Fail(Call& call) { return Step(call, SessionStep::kFail); }
  Response ListSessions(Call& call);
  Response Step(Call& call, SessionStep step);
  Response Consume(Call& call);
  Response AddLocation(Call& call);
  Response AdvanceClock(Call& call);
  Response ListRequests(Call& call);
  Response ClearRequests(Call& call);
  Response CloseConnections(Call& call);
  Response ListWebhooks(Call& call);
  Response SetWebhooks(Call& call);
  Response Resend(Call& call);
  Response ListFaults(Call& call);
  Response ReplaceFaults(Call& call);
  Response AppendFaults(Call& call);
  Response ClearFaults(Call& call);
  Response ListDialects(Call& call);
  Response SetDialects(Call& call);

  Response TerminalPage(Call& call);
  Response TerminalStyle(Call& call);
  Response TerminalScript(Call& call);
  Response TerminalWords(Call& call);
  Response TerminalWebhooks(Call& call);
  Response TerminalIcon(Call& call);
  Response ListDevices(Call& call);
  Response AddDevice(Call& call);
  Response ListDeviceSessions(Call& call);
  Response AddSession(Call& call);
  Response ListTapOutcomes(Call& call);
  Response TapSession(Call& call);

  World& world_;
  RequestLog& requests_;
  WebhookQueue& webhooks_;
  Faults& faults_;
  Dialects& dialects_;
  const std::function<int()> close_unused_;
};

}  // namespace ipp::simulator
