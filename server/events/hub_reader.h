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
  Reader(EventFilter f, const LogPlace& place)
      : filter(std::move(f)),
        position(place.position),
        content(place.content),
        epoch(place.epoch) {}

  const EventFilter filter;
  int64_t position;   // events up to here were handed out or did not match
  uint32_t content;   // of the event there; 0: not known
  uint16_t epoch;     // in which it is a place of the log
  bool lost = false;  // its place is in no epoch of the log any more: it gets nothing but that
  size_t place = 0;   // in readers_
  Later later;        // the wish; empty when there is none
  Subscription::Started started;    // who waits for the start; empty when nobody does
  bool waits = false;               // at the end of the tail
  std::list<Reader*>::iterator at;  // then: in waiting_
  // A reader behind the tail has a page of the log, or a read of one under way.
  std::vector<EventPtr> page;
  size_t page_next = 0;
  bool reading = false;
  int64_t read_in = 0;   // the hub's epochs_taken_ when that read began
  absl::Status failure;  // of a read whose wish had been taken back
};

}  // namespace ipp::events
