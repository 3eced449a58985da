#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "kustom/ipp/v1/session.pb.h"
#include "kustom/ipp/v1/session_event.pb.h"

// What a crash run knows at its end: what is true, what the gateway has said, what the observers
// saw. Plain values, so that a test can make them up.
namespace ipp::faults {

// A session as the upstream has it.
struct TrueSession {
  std::string merchant_id;
  kustom::ipp::v1::SessionStatus status = kustom::ipp::v1::SESSION_STATUS_UNSPECIFIED;
  std::string order_id;
  std::string reference;  // merchant_reference1, one of its own for each create
  bool activated = false;
  int declines = 0;
};

// An event that the upstream sent, or lost. In the order of the upstream.
struct SentWebhook {
  std::string event_id;
  std::string session_id;
  kustom::ipp::v1::SessionEventType type = kustom::ipp::v1::SESSION_EVENT_TYPE_UNSPECIFIED;
  bool taken = false;     // it was answered 200; if not, the gateway need not know of it
  bool in_order = false;  // it was sent to one receiver, after all before it of its session that
                          // were in order had been taken
};

struct Truth {
  std::map<std::string, TrueSession> sessions;  // by id
  std::vector<SentWebhook> webhooks;
};

// A CreateSession through the gateway.
struct CreateCall {
  std::string merchant_id = {};
  std::string reference;
  std::string request_id;
  std::string session_id = {};  // of an OK answer; empty otherwise
  bool denied = false;          // the error said that nothing was done (NOT_SENT, REJECTED)
  bool recorded = true;    // false: the gateway's log says that it could not write the answer down
  std::string error = {};  // empty: OK
};

// What the gateway answered its callers.
struct Ledger {
  std::vector<CreateCall> creates;
  // Sessions that an OK answer of the gateway showed, by whatever call.
  std::set<std::string> acknowledged;
  // Sessions that were read or changed through the gateway: it may have learnt their end from that.
  std::set<std::string> asked;
};

// An event as it came. Shared, since histories are long and are looked at often.
struct SeenEvent {
  explicit SeenEvent(kustom::ipp::v1::SessionEvent e)
      : event(std::move(e)), bytes(event.SerializeAsString()) {}
  const kustom::ipp::v1::SessionEvent event;
  const std::string bytes;
};
using SeenEventPtr = std::shared_ptr<const SeenEvent>;

// What a subscriber saw, in its order.
struct Observation {
  std::string name;
  kustom::ipp::v1::SessionEventFilter filter;
  std::vector<SeenEventPtr> events;
  // What it found wrong by itself: an unexpected end, a cursor that did not resume.
  std::vector<std::string> complaints;
};

// What the watches of one session saw: a call after the other, each until it broke or ended.
struct WatchCall {
  std::vector<kustom::ipp::v1::WatchSessionResponse> steps;
  bool ended_ok = false;
};
struct WatchObservation {
  std::string session_id;
  std::vector<WatchCall> calls;
};

struct History {
  Truth truth;
  Ledger ledger;
  std::vector<Observation> observers;  // the first one has no filter and saw all: the reference
  std::vector<WatchObservation> watches;
};

}  // namespace ipp::faults
