#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "google/protobuf/message.h"
#include "server/base/clock.h"
#include "server/base/scheduler.h"
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
//     ├─ kRejected   the upstream refused the request: the refusal is kept and answered again
//     ├─ kExecuted   the upstream did it: the answer is kept and answered again
//     └─ kUnknown    it may have been done. It is never sent again; a session that turns up and
//                    carries the create's mark settles it (SessionRecorder)
//
// A caller that goes away ends nothing that has begun to leave.
namespace ipp::creates {

// The call that a create serves.
class CreateCall : public upstream::ServedCall {
 public:
  // From now on an error may say what became of the create. Before that it says nothing when the id
  // is the caller's own: another call with the same id may have been sent.
  virtual void set_ledger_asked() = 0;

 protected:
  ~CreateCall() = default;
};

// What the flow works with. All borrowed; all outlive every flow.
struct CreateTools {
  CreateLedger* ledger = nullptr;
  RestoreHold* restore_hold = nullptr;  // nullptr: no create is ever held
  store::Store* store = nullptr;
  Clock* clock = nullptr;
  Scheduler* scheduler = nullptr;
  absl::Duration send_for = absl::Seconds(30);  // a create that cannot leave is tried
};

// Which create a call is about.
struct CreateId {
  std::string merchant_id;
  std::string request_id;
  bool is_callers = false;  // the caller sent the request_id; it was not made here
};

// One create. `request` and `response` live until the call is finished.
struct Creation {
  CreateCall* call = nullptr;
  const routes::Route* route = nullptr;
  upstream::CallContext context;
  CreateId id;
  std::string caller;  // by name
  const google::protobuf::Message* request = nullptr;
  google::protobuf::Message* response = nullptr;
};

// How one kind of create differs from the others. The functions run before the call is finished.
struct CreateShape {
  // What is sent upstream for the caller's request; absent: the request itself.
  std::function<std::unique_ptr<google::protobuf::Message>()> outgoing = nullptr;
  // Whether a 2xx answer says what was made; when it does not, the outcome is unknown.
  std::function<bool(const google::protobuf::Message& response)> has_resource_id = nullptr;
  // Writes down that it was done, with its answer; by default in the ledger alone. What it returns
  // may run again when the call is long over.
  std::function<CreateLedger::Write(const google::protobuf::Message& response)> record = nullptr;
  // How long an unknown outcome is waited for, within the caller's deadline; zero: what was made
  // cannot be discovered later.
  absl::Duration settle_wait = absl::ZeroDuration();
};

// Runs the create and finishes its call. What was not sent is sent again while the deadline and
// `send_for` last.
void CreateOnce(const CreateTools& tools, Creation creation, CreateShape shape);

// Finishes a call that creates with the error of a request that was refused before the ledger was
// asked, and with what the ledger knows of an earlier call with the same id (`earlier_outcome`,
// `session_id` in the error's metadata). On a thread of the store when there is something to ask.
void RefuseCreation(const CreateTools& tools, CreateCall* call, const CreateId& id,
                    absl::Status status);

}  // namespace ipp::creates
