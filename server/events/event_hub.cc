#include "server/events/event_hub.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/log.h"
#include "server/base/this_thread.h"
#include "server/events/cursor.h"
#include "server/events/hub_reader.h"
#include "server/events/store_answer.h"

namespace ipp::events {
namespace {

using std::chrono::steady_clock;

constexpr int kFeedEvents = 1024;
constexpr std::chrono::milliseconds kRetryPause{50};
// A hole is read again for a second (this many times kRetryPause) before it is passed over.
constexpr int kHoleReads = 20;

}  // namespace

EventHub::EventHub(store::Store* store, HubOptions options, Metrics* metrics)
    : store_(store),
      options_(options),
      order_(metrics),
      read_failures_(metrics->counter("ipp_events_read_failures_total",
                                      "Reads of the event log that failed and were tried again.")),
      subscribers_(metrics->gauge("ipp_events_subscribers", "Open subscriptions.")),
      lag_positions_(metrics->gauge("ipp_events_slowest_lag_positions",
                                    "Events that the slowest subscriber has yet to pass.")),
      lag_seconds_(
          metrics->gauge("ipp_events_slowest_lag_seconds",
                         "Age of the first event that the slowest subscriber has yet to pass.")),
      memory_used_(metrics->gauge("ipp_events_memory_bytes",
                                  "Bytes of the events in memory, for all subscribers.")),
      readers_without_page_(metrics->gauge(
          "ipp_events_waiting_for_memory",
          "Subscribers behind the newest events that wait until memory for their next page is free "
          "(events.memory_bytes).")),
      measure_at_(steady_clock::now() + absl::ToChronoNanoseconds(options.lag_interval)) {
  {
    MutexLock lock(&mutex_);
    const store::LogBounds bounds = store_->bounds();
    known_latest_ = tail_after_ = tail_last_ = bounds.latest;
    epoch_ = bounds.epoch();
  }
  store_->SetListener([this](int64_t latest, std::vector<store::StoredEvent> appended) {
    Heard(latest, std::move(appended));
  });
  // Another replica may have appended before the listener was set.
  Heard(store_->bounds().latest, {});
  thread_ = std::thread([this] {
    NameThisThread("hub");
    WakeThisThreadAtOnce();
    Run();
  });
}

EventHub::~EventHub() {
  store_->SetListener(nullptr);
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    changed_.SignalAll();
  }
  thread_.join();
  MutexLock lock(&mutex_);
  // What waits here, and pages that are still read, are of subscriptions that no longer exist.
  reads_in_flight_ -= static_cast<int>(wanting_page_.size());
  wanting_page_.clear();
  while (reads_in_flight_ > 0) changed_.Wait(&mutex_);
}

void EventHub::Heard(int64_t latest, std::vector<store::StoredEvent> appended) {
  MutexLock lock(&mutex_);
  known_latest_ = std::max(known_latest_, latest);
  bounds_moved_ = true;
  int64_t bytes = 0;
  for (const store::StoredEvent& row : appended) bytes += static_cast<int64_t>(row.payload.size());
  const bool follows = !appended.empty() && !appended_.empty() &&
                       appended_.back().position + 1 == appended.front().position;
  if (!follows) {
    appended_ = std::move(appended);
    appended_bytes_ = bytes;
  } else if (appended_.size() + appended.size() <= options_.tail_events &&
             appended_bytes_ + bytes <= options_.memory_bytes / 4) {
    std::move(appended.begin(), appended.end(), std::back_inserter(appended_));
    appended_bytes_ += bytes;
  } else {
    appended_.clear();  // the hub lags, and reads them
  }
  changed_.SignalAll();
}

std::vector<store::StoredEvent> EventHub::TakeAppended(int64_t position) {
  const auto first =
      std::find_if(appended_.begin(), appended_.end(),
                   [position](const store::StoredEvent& row) { return row.position > position; });
  appended_.erase(appended_.begin(), first);
  if (appended_.empty() || appended_.front().position != position + 1) return {};
  return std::exchange(appended_, {});
}

void EventHub::Run() {
  TailEnd end;
  while (AwaitMore(&end)) {
    const int64_t after = end.place.position;
    if (!end.appended.empty()) {
      failing_ = false;
      Deliver(Append(MakePage(std::move(end.appended)), end.epochs_taken));
      continue;
    }
    bool overlaps = end.place.content != 0;
    Rows rows = overlaps ? ReadNow(after - 1, kFeedEvents + 1) : ReadNow(after, kFeedEvents);
    if (rows.ok() && overlaps && !Continues(end.place, &*rows, &overlaps)) {
      BeginEpoch();
      continue;
    }
    if (!end.continues) {
      // The read only verified the tail, which is still right.
      if (!rows.ok()) RetryLater(rows.status());
      MutexLock lock(&mutex_);
      if (rows.ok() && epochs_taken_ == end.epochs_taken) verify_ = false;
      continue;
    }
    // The known event filled the page.
    if (rows.ok() && overlaps && rows->empty()) rows = ReadNow(after, kFeedEvents);
    if (!rows.ok()) {
      RetryLater(rows.status());
      continue;
    }
    order_.Straighten(after, &*rows);
    if ((rows->empty() || rows->front().position != after + 1) && !HandleHole(after, *rows))
      continue;
    failing_ = false;
    Deliver(Append(MakePage(*std::move(rows)), end.epochs_taken));
  }
}

EventHub::Rows EventHub::ReadNow(int64_t after, int limit) {
  Answer<std::vector<store::StoredEvent>> answer;
  store_->ReadEvents(after, limit, answer.Taker());
  return answer.Wait();
}

bool EventHub::AwaitMore(TailEnd* end) {
  while (true) {
    bool moved = false;
    {
      MutexLock lock(&mutex_);
      moved = std::exchange(bounds_moved_, false);
    }
    if (moved) Deliver(TakeEpoch(store_->bounds()));
    if (const Instant now = steady_clock::now(); now >= measure_at_) {
      MeasureLag();
      measure_at_ = now + absl::ToChronoNanoseconds(options_.lag_interval);
    }
    const Instant serve_at = ServeThoseWhoWait();
    MutexLock lock(&mutex_);
    if (stopping_) return false;
    if (bounds_moved_) continue;  // the commit of a moment ago may belong to a new epoch
    end->place = {tail_last_, epoch_.label, tail_.empty() ? 0 : tail_.back()->place.content};
    end->continues = known_latest_ > tail_last_;
    end->epochs_taken = epochs_taken_;
    verify_ = verify_ && end->place.content != 0;
    end->appended.clear();
    if (end->continues && !verify_) end->appended = TakeAppended(tail_last_);
    if (end->continues || verify_) return true;
    const auto patience = std::min(measure_at_, serve_at) - steady_clock::now();
    if (patience.count() > 0) changed_.WaitFor(&mutex_, patience);
  }
}

bool EventHub::HandleHole(int64_t after, const std::vector<store::StoredEvent>& rows) {
  Answer<store::LogBounds> answer;
  store_->RefreshBounds(answer.Taker());
  const absl::StatusOr<store::LogBounds> bounds = answer.Wait();
  if (!bounds.ok()) {
    RetryLater(bounds.status());
  } else if (IsNewEpoch(*bounds)) {
    Deliver(TakeEpoch(*bounds));
  } else if (bounds->oldest > after + 1) {
    Deliver(SkipTo(*bounds));
  } else if (rows.empty()) {
    RetryLater(absl::InternalError("the log does not return events that it has announced"));
  } else {
    // A store that commits out of order returns the missing event a little later.
    if (hole_after_ != after) hole_reads_ = 0;
    hole_after_ = after;
    if (hole_reads_++ == 0) order_.CountGap(after, rows.front().position);
    if (hole_reads_ >= kHoleReads) return true;
    RetryLater(absl::InternalError("the log has a hole"));
  }
  return false;
}

void EventHub::RetryLater(const absl::Status& why) {
  read_failures_.Add();
  if (!failing_) LogWarning("cannot read the event log", {{"status", why.ToString()}});
  failing_ = true;
  MutexLock lock(&mutex_);
  const Instant end = steady_clock::now() + kRetryPause;
  for (Instant now; !stopping_ && (now = steady_clock::now()) < end;) {
    changed_.WaitFor(&mutex_, end - now);
  }
}

void EventHub::Deliver(std::vector<Delivery> deliveries) {
  for (Delivery& delivery : deliveries) std::move(delivery.later)(std::move(delivery.event));
}

std::vector<EventHub::Delivery> EventHub::SkipTo(const store::LogBounds& bounds) {
  const absl::Status expired = CursorExpired(store_->log_id(), bounds, "after_cursor");
  std::vector<Delivery> deliveries;
  MutexLock lock(&mutex_);
  tail_.clear();
  tail_bytes_ = 0;
  tail_after_ = tail_last_ = bounds.oldest - 1;
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    Reader* reader = *it++;
    if (reader->position >= tail_last_) continue;
    waiting_.erase(reader->at);
    reader->waits = false;
    deliveries.push_back({std::exchange(reader->later, nullptr), expired});
  }
  return deliveries;
}

std::vector<EventHub::Delivery> EventHub::Append(std::vector<EventPtr> batch,
                                                 int64_t epochs_taken) {
  std::vector<Delivery> deliveries;
  MutexLock lock(&mutex_);
  if (epochs_taken != epochs_taken_) return deliveries;  // the batch may contain lost events
  for (EventPtr& event : batch) {
    tail_last_ = event->row.position;
    tail_bytes_ += event->bytes;
    tail_.push_back(std::move(event));
  }
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    Reader* reader = *it++;
    EventPtr event = FindInTail(reader);
    if (event == nullptr) continue;
    waiting_.erase(reader->at);
    reader->waits = false;
    deliveries.push_back({std::exchange(reader->later, nullptr), std::move(event)});
  }
  TrimTail();
  return deliveries;
}

std::vector<EventPtr> EventHub::MakePage(std::vector<store::StoredEvent> rows) {
  uint16_t epoch = 0;
  {
    MutexLock lock(&mutex_);
    epoch = epoch_.label;
  }
  std::vector<EventPtr> page;
  page.reserve(rows.size());
  const std::vector<uint32_t> contents = ContentsOf(rows);
  for (size_t i = 0; i < rows.size(); ++i) {
    const LogPlace place{rows[i].position, epoch, contents[i]};
    page.push_back(LogEvent::Make(std::move(rows[i]), store_->log_id(), place, memory_));
  }
  return page;
}

}  // namespace ipp::events
