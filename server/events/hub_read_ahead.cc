#include <iterator>
#include <utility>

#include "server/events/event_hub.h"
#include "server/events/hub_reader.h"

// Reads the next page of a subscriber behind the tail while it is sent the one before, so that
// neither the store nor the connection waits for the other. What was read ahead is used only if
// nothing has happened meanwhile: it continues the very event after which it was read, in the same
// epoch. Otherwise it is dropped, and the subscriber reads as if there were no reading ahead; so
// errors, holes and lost events are all handled there (subscription.cc).
namespace ipp::events {

bool EventHub::BeginReadAhead(const std::shared_ptr<Reader>& reader, ReadAhead* ahead) {
  const size_t left = reader->page.size() - reader->page_next;
  if (left == 0 || left > static_cast<size_t>(options_.page_events)) return false;
  const LogPlace& last = reader->page.back()->place;
  if (reader->reads_ahead || last.position >= tail_after_) return false;
  if (!wanting_page_.empty() || !HasRoomForPage()) return false;
  reader->reads_ahead = true;
  ++pages_in_flight_;
  ++reads_in_flight_;
  *ahead = {reader, last, epochs_taken_};
  return true;
}

// Includes the event that is already there: it must be unchanged.
void EventHub::Continue(ReadAhead ahead) {
  const int64_t before = ahead.after.position - 1;
  store_->ReadEvents(before, options_.page_events + 1,
                     [this, ahead = std::move(ahead)](Rows rows) mutable {
                       GotAhead(std::move(ahead), std::move(rows));
                     });
}

void EventHub::GotAhead(ReadAhead ahead, Rows rows) {
  std::vector<EventPtr> page;
  if (bool found = false; rows.ok() && Continues(ahead.after, &*rows, &found)) {
    const int64_t after = ahead.after.position;
    order_.Straighten(after, &*rows);
    if (!rows->empty() && rows->front().position == after + 1) page = MakePage(*std::move(rows));
  }
  Reader& reader = *ahead.reader;
  bool needed = false;
  LogPlace from;
  {
    MutexLock lock(&mutex_);
    reader.reads_ahead = false;
    needed = std::exchange(reader.needs_ahead, false);
    if (!FitsAfter(ahead)) page.clear();
    --pages_in_flight_;
    if (needed) {
      from = BeginRead(&reader);
    } else if (!page.empty()) {
      const auto first = reader.page.begin();
      reader.page.erase(first, first + static_cast<std::ptrdiff_t>(reader.page_next));
      reader.page_next = 0;
      std::move(page.begin(), page.end(), std::back_inserter(reader.page));
    }
  }
  if (needed && page.empty()) {
    ReadPage(ahead.reader, from);
  } else if (needed) {
    EndRead(ahead.reader, std::move(page), ahead.after.position);
  } else {
    ReadForThoseWhoWait();  // the page was smaller than what was set aside for it
  }
  MutexLock lock(&mutex_);
  EndOneRead();
}

// Whether the reader is still where it was read ahead for: with that event as the last one of its
// page, or just passed.
bool EventHub::FitsAfter(const ReadAhead& ahead) const {
  const Reader& reader = *ahead.reader;
  if (reader.lost || epochs_taken_ != ahead.epochs_taken) return false;
  if (reader.page_next == reader.page.size()) return reader.position == ahead.after.position;
  return reader.page.back()->place == ahead.after;
}

}  // namespace ipp::events
