#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "server/events/event_hub.h"

namespace ipp::events {

// What the hub knows of one subscriber. Guarded by the hub's mutex.
struct EventHub::Reader {
  Reader(EventFilter f, int64_t p) : filter(std::move(f)), position(p) {}

  const EventFilter filter;
  int64_t position;                 // events up to here were handed out or did not match
  size_t place = 0;                 // in readers_
  Later later;                      // the wish; empty when there is none
  Subscription::Started started;    // who waits for the start; empty when nobody does
  bool waits = false;               // at the end of the tail
  std::list<Reader*>::iterator at;  // then: in waiting_
  // A reader behind the tail has a page of the log, or a read of one under way.
  std::vector<EventPtr> page;
  size_t page_next = 0;
  bool reading = false;
  absl::Status failure;  // of a read whose wish had been taken back
};

}  // namespace ipp::events
