#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "google/protobuf/message.h"
#include "server/base/clock.h"
#include "server/base/scheduler.h"
#include "server/base/tracer.h"
#include "server/creates/create_ledger.h"
#include "server/creates/restore_hold.h"
#include "server/routes/route_table.h"
#include "server/store/store.h"
#include "server/upstream/served_call.h"

// The flow of a call that creates something upstream, so that it is created at most once for a
// request_id. The life of an intent (the ledger's record of a create):
//
//   reserved (kUnderWay)  durable before the first byte leaves
//     ├─ kNotSent    no byte left, or the upstream had no time for it: the id may be sent again
//     ├─ kRejected   the upstream refused the request: the refusal is stored and answered again
//     ├─ kExecuted   the upstream executed it: the answer is stored and answered again
//     └─ kUnknown    it may have been executed. It is never sent again; if a session that carries
//                    the create's mark is discovered, it settles the create (SessionRecorder)
//
// If the caller goes away, a create that has begun to leave is still completed. create_ledger.h
// says who moves an intent from state to state.
namespace ipp::creates {

// The call that a create serves.
class CreateCall : public upstream::ServedCall {
 public:
  // After this an error may say what became of the create. Before it, for an id of the caller's
  // own, an error says nothing of the outcome, because another call with the same id may have been
  // sent.
  virtual void set_ledger_asked() = 0;

 protected:
  ~CreateCall() = default;
};

// What the flow uses. All pointers are borrowed and must outlive every flow.
struct CreateTools {
  CreateLedger* ledger = nullptr;
  RestoreHold* restore_hold = nullptr;  // nullptr: no create is ever held
  store::Store* store = nullptr;
  Clock* clock = nullptr;
  Scheduler* scheduler = nullptr;
  absl::Duration send_for = absl::Seconds(30);  // how long a create that cannot leave is tried
  // Records what a create waits for the ledger: spans `ledger.reserve`, `ledger.complete` and
  // `ledger.await`. Null: none.
  Tracer* tracer = nullptr;
};

// Identifies the create of a call.
struct CreateId {
  std::string merchant_id;
  std::string request_id;
  bool is_callers = false;  // the caller sent the request_id; else the gateway made it
};

// One create. `request` and `response` must live until the call is finished.
struct Creation {
  CreateCall* call = nullptr;
  const routes::Route* route = nullptr;
  upstream::CallContext context;
  CreateId id;
  std::string caller;  // the caller's name
  const google::protobuf::Message* request = nullptr;
  google::protobuf::Message* response = nullptr;
};

// How the kinds of creates differ. The functions run before the call is finished.
struct CreateShape {
  // Builds the message that is sent upstream; unset: the caller's request itself.
  std::function<std::unique_ptr<google::protobuf::Message>()> outgoing = nullptr;
  // Whether a 2xx answer contains the id of what was created; if it does not, the outcome is
  // unknown.
  std::function<bool(const google::protobuf::Message& response)> has_resource_id = nullptr;
  // Returns the write that records the execution and its answer; by default it updates the ledger
  // only. The write may run again after the call has ended.
  std::function<CreateLedger::Write(const google::protobuf::Message& response)> record = nullptr;
  // How long an unknown outcome is waited for, within the caller's deadline; zero: what was created
  // cannot be discovered later.
  absl::Duration settle_wait = absl::ZeroDuration();
};

// Runs the create and finishes its call. Returns at once; the rest runs on threads of the store,
// the scheduler and the upstream client. While nothing was sent, sending is tried again until the
// deadline or `send_for`.
void CreateOnce(const CreateTools& tools, Creation creation, CreateShape shape);

// Finishes a create call with the error of a request that was refused before the ledger was read,
// adding what the ledger knows of an earlier call with the same id (`earlier_outcome`, `session_id`
// in the error's metadata). Finishes on a thread of the store if the id is the caller's own, else
// on the calling thread.
void RefuseCreation(const CreateTools& tools, CreateCall* call, const CreateId& id,
                    absl::Status status);

}  // namespace ipp::creates
