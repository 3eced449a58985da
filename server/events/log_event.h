#pragma once

#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "kustom/ipp/v1/session_event.pb.h"
#include "server/events/cursor.h"
#include "server/events/event_memory.h"
#include "server/store/store.h"

namespace ipp::events {

// An outgoing event, made once for all subscribers. Immutable.
struct LogEvent {
  store::StoredEvent row;  // without the payload, which is in `message`
  LogPlace place;          // the place of this event
  std::string
      message;        // a serialized SubscribeSessionEventsResponse with this event and its cursor
  int64_t bytes = 0;  // about what it needs
  std::shared_ptr<EventMemory> counted;  // there it counts; null: nowhere

  LogEvent() = default;
  LogEvent(const LogEvent&) = delete;
  LogEvent& operator=(const LogEvent&) = delete;
  ~LogEvent() {
    if (counted != nullptr) counted->Add(-bytes);
  }

  // Built from bytes: no message is parsed between the store and the wire, except an event of an
  // earlier release that is too large for its readers (store/message_size.h). `place`: of the row,
  // with the epoch in which it was read and its content as it is stored. The event counts in
  // `memory` as long as it lives.
  static std::shared_ptr<const LogEvent> Make(store::StoredEvent row, absl::string_view log_id,
                                              const LogPlace& place,
                                              std::shared_ptr<EventMemory> memory = nullptr);

  // The event itself, with its cursor.
  kustom::ipp::v1::SessionEvent Parse() const;
};

using EventPtr = std::shared_ptr<const LogEvent>;

}  // namespace ipp::events
