#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "server/events/event_hub.h"

namespace ipp::events {

// The hub's state of one subscriber. Guarded by the hub's mutex.
struct EventHub::Reader {
  Reader(EventFilter f, const LogPlace& place)
      : filter(std::move(f)),
        position(place.position),
        content(place.content),
        epoch(place.epoch) {}

  const EventFilter filter;
  int64_t position;                 // events up to here were delivered or did not match
  uint32_t content;                 // ContentOf() the event there; 0: not known
  uint16_t epoch;                   // the epoch of the position
  bool lost = false;                // the log has lost its place: it gets CURSOR_FOREIGN only
  size_t place = 0;                 // index in readers_
  Later later;                      // the pending Next; empty: none
  Subscription::Started started;    // the pending StartWithKept; empty: none
  bool waits = false;               // waits at the end of the tail
  std::list<Reader*>::iterator at;  // if it waits: its place in waiting_
  // A reader behind the tail has a page of the log, or a page is being read for it.
  std::vector<EventPtr> page;
  size_t page_next = 0;
  bool page_read = false;  // since unread pages were last dropped
  bool reading = false;    // a page is being read for it, or it waits for memory
  // The page is being continued, beside its delivery; or the reader has come to its end meanwhile,
  // and that read is now the one it waits for (`reading` is set, too).
  bool reads_ahead = false;
  bool needs_ahead = false;
  int64_t read_in = 0;   // the hub's epochs_taken_ when the read began
  absl::Status failure;  // the error of a read whose Next was withdrawn
};

// A read that continues a reader's page.
struct EventHub::ReadAhead {
  std::shared_ptr<Reader> reader;
  LogPlace after;            // of the page's last event
  int64_t epochs_taken = 0;  // when the read began
};

}  // namespace ipp::events
