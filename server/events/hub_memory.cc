#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

#include "server/events/event_hub.h"
#include "server/events/hub_reader.h"

// Keeps the events in memory within HubOptions::memory_bytes: how long the tail is, and which
// subscriber behind the tail may read its next page.
namespace ipp::events {
namespace {

using std::chrono::steady_clock;

// What a page may need, until it is known: the store ends a page at about 1 MiB.
constexpr int64_t kPageBytes = 1 << 20;
// How often subscribers that wait for memory are looked at, and for how long one may leave its page
// unread meanwhile.
constexpr std::chrono::milliseconds kLookAgain{10};
constexpr std::chrono::seconds kPageKeptFor{1};

}  // namespace

void EventHub::TrimTail() {
  const int64_t most = options_.memory_bytes / 2;
  while (tail_.size() > options_.tail_events || (tail_bytes_ > most && tail_.size() > 1)) {
    tail_after_ = tail_.front()->row.position;
    tail_bytes_ -= tail_.front()->bytes;
    tail_.pop_front();
  }
}

// If nothing but the tail is in memory, one page is allowed whatever the limit.
bool EventHub::HasRoomForPage() const {
  if (pages_in_flight_ == 0 && memory_->bytes() <= tail_bytes_) return true;
  return memory_->bytes() + (pages_in_flight_ + 1) * kPageBytes <= options_.memory_bytes;
}

bool EventHub::AdmitRead(const std::shared_ptr<Reader>& reader, LogPlace* after) {
  reader->reading = true;
  if (reader->reads_ahead) {
    reader->needs_ahead = true;
    return false;
  }
  if (!wanting_page_.empty() || !HasRoomForPage()) {
    wanting_page_.push_back(reader);
    changed_.SignalAll();  // the hub's thread looks again
    return false;
  }
  *after = BeginRead(reader.get());
  return true;
}

LogPlace EventHub::BeginRead(Reader* reader) {
  ++pages_in_flight_;
  reader->read_in = epochs_taken_;
  return {reader->position, reader->epoch, reader->content};
}

// The store may answer, and the answer begin the next read, before ReadPage returns: so they are
// taken from the queue one by one. The first of them is read for in any case if `in_any_case`.
void EventHub::ReadForThoseWhoWait(bool in_any_case) {
  while (true) {
    std::shared_ptr<Reader> reader;
    LogPlace after;
    {
      MutexLock lock(&mutex_);
      if (wanting_page_.empty() || !(in_any_case || HasRoomForPage())) return;
      reader = std::move(wanting_page_.front());
      wanting_page_.pop_front();
      if (reader->later == nullptr && reader->started == nullptr) {  // withdrawn meanwhile
        reader->reading = false;
        EndOneRead();
        continue;
      }
      after = BeginRead(reader.get());
      in_any_case = false;
    }
    ReadPage(std::move(reader), after);
  }
}

EventHub::Instant EventHub::ServeThoseWhoWait() {
  bool sweep = false;
  {
    MutexLock lock(&mutex_);
    memory_used_.Set(static_cast<double>(memory_->bytes()));
    readers_without_page_.Set(static_cast<double>(wanting_page_.size()));
    if (wanting_page_.empty()) {
      sweep_at_ = Instant();
      return Instant::max();
    }
    // What is left unread since the first of them began to wait, or since the last sweep.
    if (sweep_at_ == Instant()) sweep_at_ = steady_clock::now() + kPageKeptFor;
    sweep = steady_clock::now() >= sweep_at_;
  }
  if (sweep) {
    DropUnreadPages();
    sweep_at_ = steady_clock::now() + kPageKeptFor;
  }
  // Callers that do not read may hold all the memory with messages that are on their way to them.
  // The others get on nevertheless, by a page a second.
  ReadForThoseWhoWait(/*in_any_case=*/sweep);
  return steady_clock::now() + kLookAgain;
}

// Drops what a caller has not read of a page since the last sweep: it can be read again. The next
// event stays, because StartWithKept promised it.
void EventHub::DropUnreadPages() {
  std::vector<EventPtr> dropped;  // freed outside the lock
  MutexLock lock(&mutex_);
  for (Reader* reader : readers_) {
    const size_t kept = reader->page_next + 1;
    if (!std::exchange(reader->page_read, false) && reader->page.size() > kept) {
      std::move(reader->page.begin() + static_cast<std::ptrdiff_t>(kept), reader->page.end(),
                std::back_inserter(dropped));
      reader->page.resize(kept);
    }
  }
}

}  // namespace ipp::events
