#include <algorithm>
#include <set>

#include "server/shared/shared_hub.h"
#include "server/shared/shared_hub_parts.h"

// What SharedHub learns of the outside: new events, leases that end, other replicas, counts.
namespace ipp::shared {

// ---- The log. ----

// Begins to follow the log, or goes on with it.
void SharedHub::Watch(Todo* todo) {
  if (watching_ || stopping_) return;
  watching_ = true;
  ++under_way_;
  log_ = events_->Subscribe(events::EventFilter::All(), store_->bounds().latest);
  Follow(todo);
}

// Takes what is there, and waits for the next event.
void SharedHub::Follow(Todo* todo) {
  std::set<Line*> touched;
  while (!stopping_) {
    const events::EventPtr event =
        log_->Next([this](absl::StatusOr<events::EventPtr> later) { News(std::move(later)); });
    if (event == nullptr) break;
    Note(*event, &touched);
  }
  for (Line* line : touched) ClaimFor(*line, todo);
}

void SharedHub::Note(const events::LogEvent& event, std::set<Line*>* touched) {
  for (const auto& [id, line] : lines_) {
    if (line->spec->matches(event.row)) touched->insert(line.get());
  }
}

void SharedHub::News(absl::StatusOr<events::EventPtr> event) {
  Todo todo;
  {
    MutexLock lock(&mutex_);
    if (!event.ok() || stopping_) {
      // The next poll begins anew.
      log_ = nullptr;
      watching_ = false;
      --under_way_;
      changed_.SignalAll();
      return;
    }
    std::set<Line*> touched;
    Note(**event, &touched);
    for (Line* line : touched) ClaimFor(*line, &todo);
    Follow(&todo);
    if (stopping_) {
      log_ = nullptr;
      watching_ = false;
      --under_way_;
      changed_.SignalAll();
    }
  }
  Do(std::move(todo));
}

// ---- Polls. ----

void SharedHub::Poll() {
  Todo todo;
  {
    MutexLock lock(&mutex_);
    const absl::Time now = store_->Now();
    for (const auto& [id, line] : lines_) {
      for (const StreamPtr& stream : line->streams) {
        std::erase_if(stream->out, [&](const auto& out) { return out.second.until <= now; });
      }
      CheckLeases(*line, &todo);
      ClaimFor(*line, &todo);
    }
    if (!lines_.empty()) Watch(&todo);
  }
  Do(std::move(todo));
}

// Leases of full streams may have been settled through another replica.
void SharedHub::CheckLeases(Line& line, Todo* todo) {
  if (store_->exclusive() || line.checking || stopping_) return;
  std::vector<SessionKey> sessions;
  for (const StreamPtr& stream : line.streams) {
    if (stream->room() > 0) continue;
    for (const auto& [lease, out] : stream->out) sessions.push_back(out.session);
  }
  if (sessions.empty()) return;
  line.checking = true;
  ++under_way_;
  todo->calls.push_back([this, id = line.spec->id, sessions = std::move(sessions)] {
    store_->ReadShared(
        [id, sessions](store::SharedReads& reads) -> absl::StatusOr<std::any> {
          absl::StatusOr<std::vector<SharedHead>> heads = reads.Heads(id, sessions);
          if (!heads.ok()) return heads.status();
          return std::any(*std::move(heads));
        },
        [this, id, sessions](absl::StatusOr<std::any> read) {
          Checked(id, sessions, std::move(read));
          Ended();
        });
  });
}

void SharedHub::Checked(int64_t id, const std::vector<SessionKey>& sessions,
                        absl::StatusOr<std::any> read) {
  Todo todo;
  {
    MutexLock lock(&mutex_);
    Line& line = *lines_.at(id);
    line.checking = false;
    if (read.ok()) {
      const std::set<SessionKey> asked(sessions.begin(), sessions.end());
      std::map<uint64_t, absl::Time> out;  // the leases that are out
      for (const SharedHead& head : std::any_cast<const std::vector<SharedHead>&>(*read)) {
        if (head.out) out.emplace(head.lease, head.leased_until);
      }
      for (const StreamPtr& stream : line.streams) {
        for (auto entry = stream->out.begin(); entry != stream->out.end();) {
          const auto still = out.find(entry->first);
          if (asked.contains(entry->second.session) && still == out.end()) {
            entry = stream->out.erase(entry);
            continue;
          }
          // It may have been extended.
          if (still != out.end()) entry->second.until = still->second;
          ++entry;
        }
      }
      ClaimFor(line, &todo);
    }
    EraseIfIdle(id);
  }
  Do(std::move(todo));
}

// ---- Metrics. ----

void SharedHub::Count(PeriodicTask::Run run) {
  const absl::Time now = store_->Now();
  store_->ReadShared(
      [now](store::SharedReads& reads) -> absl::StatusOr<std::any> {
        absl::StatusOr<std::vector<SharedRecord>> records = reads.List(nullptr);
        if (!records.ok()) return records.status();
        std::vector<Counted> counted;
        for (const SharedRecord& record : *records) {
          const absl::StatusOr<std::optional<store::SharedCounts>> counts =
              reads.Count(record.id, now);
          if (!counts.ok()) return counts.status();
          if (*counts) counted.push_back({record.id, record.caller, record.name, **counts});
        }
        return std::any(std::move(counted));
      },
      [this, now,
       run = std::make_shared<PeriodicTask::Run>(std::move(run))](absl::StatusOr<std::any> read) {
        if (read.ok()) Show(std::any_cast<const std::vector<Counted>&>(*read), now);
      });
}

void SharedHub::Show(const std::vector<Counted>& counted, absl::Time now) {
  const auto set = [this](const Labels& labels, const char* name, const char* help, double value) {
    metrics_->gauge(name, help, labels).Set(value);
  };
  const auto show = [&](const Labels& labels, const store::SharedCounts& counts, int64_t backlog) {
    const absl::Time oldest = std::min(counts.oldest, counts.unread_at);
    set(labels, "ipp_shared_backlog_events",
        "Events of the log that the shared subscription has not looked at.",
        static_cast<double>(backlog));
    set(labels, "ipp_shared_oldest_unsettled_seconds",
        "Age of the oldest event that the shared subscription has not settled.",
        oldest == absl::InfiniteFuture() ? 0 : std::max(0.0, absl::ToDoubleSeconds(now - oldest)));
    set(labels, "ipp_shared_out", "Events of the shared subscription under a lease.",
        static_cast<double>(counts.out));
    set(labels, "ipp_shared_held", "Events of the shared subscription that wait to be leased.",
        static_cast<double>(counts.held));
    set(labels, "ipp_shared_parked", "Events that the shared subscription has given up.",
        static_cast<double>(counts.parked));
  };
  std::map<int64_t, Labels> shown;
  const int64_t latest = store_->bounds().latest;
  for (const Counted& one : counted) {
    const Labels labels = {{"caller", one.caller}, {"subscription", one.name}};
    show(labels, one.counts, std::max<int64_t>(0, latest - one.counts.read_position));
    shown_.erase(one.id);
    shown.emplace(one.id, labels);
  }
  // A series cannot be removed: those that are left are of subscriptions that were deleted.
  for (const auto& [id, labels] : shown_) {
    const bool made_anew = std::any_of(
        shown.begin(), shown.end(), [&, &gone = labels](auto& now) { return now.second == gone; });
    if (!made_anew) show(labels, {}, 0);
  }
  shown_ = std::move(shown);
}

}  // namespace ipp::shared
