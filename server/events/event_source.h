#pragma once

#include <cstdint>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "server/events/cursor.h"
#include "server/events/log_event.h"

namespace ipp::events {

// Where a stream gets its events from. Used by one caller at a time, on any thread. While a Next is
// pending, only Withdraw may be called; before the destructor, nothing may be pending.
class EventSource {
 public:
  using Later = absl::AnyInvocable<void(absl::StatusOr<EventPtr>) &&>;

  virtual ~EventSource() = default;

  // Returns the next event if it is in memory; `later` is then dropped. Otherwise returns nullptr,
  // and `later` runs once, on another thread, with the event or with the error that ends the
  // stream.
  virtual EventPtr Next(Later later) = 0;
  // Returns the next event if it is in memory; nullptr otherwise, and nothing is pending then.
  virtual EventPtr NextAtHand() = 0;
  // Cancels a pending Next. True: `later` is dropped and will not run. False: none is pending, or
  // it is about to run.
  virtual bool Withdraw() = 0;
  // All matching events up to this place were delivered. Only valid while no Next is pending.
  virtual LogPlace place() const = 0;
  int64_t position() const { return place().position; }
};

}  // namespace ipp::events
