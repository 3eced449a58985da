#include "server/sessions/reconciler.h"

#include <algorithm>
#include <cmath>

#include "absl/random/random.h"
#include "server/base/error.h"
#include "server/base/log.h"

namespace ipp::sessions {
namespace {

constexpr absl::Duration kCountInterval = absl::Seconds(10);
// How long an event is held at most, and the pause between two reads for it.
constexpr absl::Duration kHoldAtMost = absl::Seconds(10);
constexpr absl::Duration kHoldPause = absl::Seconds(1);
constexpr int kReleased = 100;  // most held events in one lease
// The longest Retry-After that is respected: the end of a session must not stay unnoticed for a
// day.
constexpr absl::Duration kLongestPatience = absl::Minutes(5);
constexpr size_t kExpedited = 100;  // sessions per tick, to spread a burst

// Jitter of a tenth, so that sessions created together are not read together forever.
absl::Duration Jittered(absl::Duration pause) {
  thread_local absl::BitGen random;
  return pause * absl::Uniform<double>(random, 0.9, 1.1);
}

// The tick: short enough that each configured time is met closely.
absl::Duration TickOf(const ReconcileOptions& options) {
  const absl::Duration shortest =
      std::min({options.times.first, options.times.complete, options.watched});
  return std::clamp(shortest / 2, absl::Milliseconds(20), absl::Milliseconds(500));
}

}  // namespace

Reconciler::Reconciler(store::Store* store, SessionRecorder* recorder, ReadSession read,
                       Clock* clock, Scheduler* scheduler, Metrics* metrics,
                       ReconcileOptions options)
    : store_(store),
      recorder_(recorder),
      read_(std::move(read)),
      clock_(clock),
      options_(options),
      tick_(TickOf(options)),
      open_(metrics->gauge("ipp_sessions_open", "Sessions that have not ended.")),
      oldest_(
          metrics->gauge("ipp_sessions_oldest_open_seconds",
                         "Age of the oldest session that has not ended; 0 when there is none.")),
      overdue_(metrics->gauge("ipp_sessions_overdue",
                              "Sessions open for longer than reconcile.overdue.")),
      budget_(options.reads_per_second, std::max(options.max_in_flight, options.reads_per_second),
              options.max_in_flight),
      ticks_(scheduler, tick_, [this](const PeriodicTask::Run&) { Tick(); }) {
  std::vector<std::string> results = {"not_found", "error", "not_recorded"};
  for (const UpdateEffect effect :
       {UpdateEffect::kAdvanced, UpdateEffect::kCompleted, UpdateEffect::kRepeated,
        UpdateEffect::kLate, UpdateEffect::kDisagrees, UpdateEffect::kCorrected}) {
    results.emplace_back(UpdateEffectName(effect));
  }
  for (const std::string& result : results) {
    reads_[result] =
        &metrics->counter("ipp_reconcile_reads_total",
                          "Sessions read because nothing was heard of them, by what that brought.",
                          {{"result", result}});
  }
}

Reconciler::~Reconciler() {
  Stop();
  MutexLock lock(&mutex_);
  while (in_flight_ > 0 || in_store_ > 0 || releasing_ > 0 || counting_) changed_.Wait(&mutex_);
}

void Reconciler::Start() {
  {
    MutexLock lock(&mutex_);
    running_ = true;
  }
  ticks_.Start();
}

void Reconciler::Stop() {
  {
    MutexLock lock(&mutex_);
    running_ = false;
  }
  ticks_.Stop();
  MutexLock lock(&mutex_);
  while (calling_ > 0) changed_.Wait(&mutex_);
}

bool Reconciler::Enter() {
  MutexLock lock(&mutex_);
  if (!running_) return false;
  ++calling_;
  return true;
}

void Reconciler::Leave() {
  MutexLock lock(&mutex_);
  --calling_;
  changed_.SignalAll();
}

void Reconciler::Tick() {
  if (!Enter()) return;
  for (const Key& key : Neglected()) Expedite(key, store_->Now());
  ReleaseHeld();
  LeaseSome();
  CountOpen();
  Leave();
}

std::vector<std::string> Reconciler::Waiting() {
  MutexLock lock(&mutex_);
  const absl::Duration now = clock_->Monotonic();
  std::vector<std::string> merchants;
  for (auto merchant = patience_.begin(); merchant != patience_.end();) {
    if (now < merchant->second) {
      merchants.push_back(merchant++->first);
    } else {
      merchant = patience_.erase(merchant);
    }
  }
  return merchants;
}

void Reconciler::ReleaseHeld() {
  {
    MutexLock lock(&mutex_);
    if (releasing_ > 0 || clock_->Monotonic() < release_at_) return;
    release_at_ = clock_->Monotonic() + kHoldPause;
    releasing_ = 1;
  }
  const absl::Time now = store_->Now();
  store_->LeaseDue({.now = now,
                    .limit = kReleased,
                    .held_since = now - kHoldAtMost,
                    .pause = [](const store::SessionRecord&) { return kHoldPause; }},
                   [this](absl::StatusOr<std::vector<store::SessionRecord>> held) {
                     if (held.ok()) {
                       {
                         MutexLock lock(&mutex_);
                         releasing_ += static_cast<int>(held->size());
                       }
                       // Publish it incomplete rather than late.
                       for (const store::SessionRecord& record : *held) {
                         recorder_->Release(record.merchant_id, record.session.session_id(),
                                            [this](const absl::Status&) { HasReleased(1); });
                       }
                     }
                     HasReleased(1);
                   });
}

void Reconciler::HasReleased(int count) {
  MutexLock lock(&mutex_);
  releasing_ -= count;
  changed_.SignalAll();
}

void Reconciler::LeaseSome() {
  std::vector<std::string> waiting = Waiting();
  int most_at_once = options_.max_in_flight;
  if (options_.room) most_at_once = std::min(most_at_once, options_.room());
  int wanted = 0;
  {
    MutexLock lock(&mutex_);
    const absl::Duration now = clock_->Monotonic();
    wanted = std::min(most_at_once - in_flight_, budget_.Available(now));
    if (wanted <= 0 || !budget_.Take(now, wanted)) return;
    in_flight_ += wanted;
  }
  const absl::Time now = store_->Now();
  store_->LeaseDue(
      {.now = now,
       .longest = 1.2 * std::max({options_.max, options_.watched, options_.times.first}) +
                  absl::Minutes(1),
       .limit = wanted,
       .without_merchants = std::move(waiting),
       .pause = [this,
                 now](const store::SessionRecord& record) { return PauseAfter(record, now); }},
      [this, wanted](absl::StatusOr<std::vector<store::SessionRecord>> due) {
        GotLeases(wanted, std::move(due));
      });
}

absl::Duration Reconciler::PauseAfter(const store::SessionRecord& record, absl::Time now) {
  if (!record.held_event.empty()) return Jittered(std::min(kHoldPause, options_.times.first));
  {
    MutexLock lock(&mutex_);
    const auto watched = watched_.find({record.merchant_id, record.session.session_id()});
    if (watched != watched_.end() && record.open) return Jittered(options_.watched);
  }
  // A complete session has already waited the first pause. One that is read to complete it was due
  // sooner.
  const int leased = record.checks + (record.complete ? 1 : 0);
  // Read n of the schedule happens first * (2^n - 1) after the last update. There were more leases
  // than that if the session was watched or had to be completed.
  const double firsts = absl::FDivDuration(now - record.updated_at, options_.times.first);
  const int expected = static_cast<int>(std::lround(std::log2(std::clamp(firsts, 0.0, 1e9) + 1)));
  const int doublings = std::min({leased, expected, 30});
  return Jittered(std::min(options_.times.first * std::pow(2.0, doublings), options_.max));
}

void Reconciler::GotLeases(int asked, absl::StatusOr<std::vector<store::SessionRecord>> due) {
  if (!due.ok()) {
    LogWarning("cannot lease sessions", {{"status", due.status().ToString()}});
    due.emplace();
  }
  std::vector<Read> reads;
  {
    MutexLock lock(&mutex_);
    const absl::Duration now = clock_->Monotonic();
    for (const store::SessionRecord& record : *due) {
      Key key = {record.merchant_id, record.session.session_id()};
      const auto watched = watched_.find(key);
      if (watched != watched_.end()) watched->second.read_by = now + options_.watched;
      // Skip a session whose last read is still under way: it took longer than the pause.
      if (!running_ || !reading_.insert(key).second) continue;
      TraceContext trace = record.trace.traceparent.empty() ? NewTrace() : record.trace;
      reads.push_back({std::move(key), std::move(trace)});
    }
    more_ = static_cast<int>(due->size()) == asked;
    budget_.GiveBack(asked - static_cast<int>(reads.size()));
    if (!reads.empty()) ++calling_;
  }
  Ended(asked - static_cast<int>(reads.size()));
  if (reads.empty()) return;
  for (const Read& read : reads) {
    read_(read.key.first, read.key.second, read.trace,
          [this, read](absl::StatusOr<SessionAnswer> session) {
            GotSession(read, std::move(session));
          });
  }
  Leave();
}

void Reconciler::GotSession(const Read& read, absl::StatusOr<SessionAnswer> session) {
  const Key& key = read.key;
  if (!session.ok()) {
    const bool missing = absl::IsNotFound(session.status());
    reads_.find(missing ? "not_found" : "error")->second->Add();
    if (const auto wait = GetErrorDetail(session.status()).retry_after) {
      MutexLock lock(&mutex_);
      absl::Duration& until = patience_[key.first];
      until = std::max(until, clock_->Monotonic() + std::min(*wait, kLongestPatience));
    }
    LogInfo("a session could not be read", {{"merchant", key.first},
                                            {"session", key.second},
                                            {"status", session.status().ToString()},
                                            {"trace_id", std::string(read.trace.trace_id())}});
    if (!missing) return HasRead(key);
    recorder_->Miss(key.first, key.second, [this, key](const absl::Status&) { HasRead(key); });
    return;
  }
  SessionUpdate update;
  update.source = kustom::ipp::v1::SESSION_EVENT_SOURCE_RECONCILIATION;
  update.merchant_id = key.first;
  update.session_id = key.second;
  update.session = std::move(session->session);
  update.request_id = std::move(session->request_id);
  recorder_->Record(std::move(update), [this, key](absl::StatusOr<Recorded> recorded) {
    // An update that could not be stored is read again after the pause.
    const auto counter =
        reads_.find(recorded.ok() ? UpdateEffectName(recorded->effect) : "not_recorded");
    if (counter != reads_.end()) counter->second->Add();
    HasRead(key);
  });
}

void Reconciler::HasRead(const Key& key) {
  {
    MutexLock lock(&mutex_);
    reading_.erase(key);
  }
  Ended(1);
}

void Reconciler::Ended(int count) {
  bool more = false;
  {
    MutexLock lock(&mutex_);
    more = more_ && running_;
    if (more) ++calling_;
    in_flight_ -= count;
    changed_.SignalAll();
  }
  if (!more) return;
  LeaseSome();
  Leave();
}

void Reconciler::CountOpen() {
  {
    MutexLock lock(&mutex_);
    if (counting_ || clock_->Monotonic() < count_at_) return;
    count_at_ = clock_->Monotonic() + kCountInterval;
    counting_ = true;
  }
  const absl::Time now = store_->Now();
  store_->CountOpen(now - options_.overdue, [this, now](absl::StatusOr<store::OpenSessions> open) {
    if (open.ok()) {
      open_.Set(static_cast<double>(open->count));
      oldest_.Set(open->count == 0 ? 0 : std::max(0.0, absl::ToDoubleSeconds(now - open->oldest)));
      overdue_.Set(static_cast<double>(open->overdue));
    }
    MutexLock lock(&mutex_);
    counting_ = false;
    changed_.SignalAll();
  });
}

std::unique_ptr<Reconciler::Watch> Reconciler::WatchSession(std::string merchant_id,
                                                            std::string session_id) {
  Key key(std::move(merchant_id), std::move(session_id));
  bool first = false;
  {
    MutexLock lock(&mutex_);
    Watched& watched = watched_[key];
    first = ++watched.watchers == 1;
    if (first) watched.read_by = clock_->Monotonic() + options_.watched;
  }
  // Another pause may have put it off by an hour.
  if (first && Enter()) {
    Expedite(key, store_->Now() + options_.watched);
    Leave();
  }
  return std::unique_ptr<Watch>(new Watch(this, std::move(key)));
}

void Reconciler::Unwatch(const Key& key) {
  MutexLock lock(&mutex_);
  const auto watched = watched_.find(key);
  if (--watched->second.watchers == 0) watched_.erase(watched);
}

std::vector<Reconciler::Key> Reconciler::Neglected() {
  // Allow for this replica's own lease, which is jittered and waits for a tick.
  const absl::Duration slack = options_.watched / 10 + 2 * tick_;
  std::vector<std::pair<absl::Duration, Key>> late;
  MutexLock lock(&mutex_);
  if (in_store_ > 0) return {};  // the store is slow: add no load
  const absl::Duration now = clock_->Monotonic();
  for (const auto& [key, watched] : watched_) {
    if (now >= watched.read_by + slack) late.emplace_back(watched.read_by, key);
  }
  std::sort(late.begin(), late.end());
  if (late.size() > kExpedited) late.resize(kExpedited);
  std::vector<Key> keys;
  for (auto& [read_by, key] : late) {
    watched_.at(key).read_by = now + options_.watched;
    keys.push_back(std::move(key));
  }
  return keys;
}

void Reconciler::Expedite(const Key& key, absl::Time at) {
  {
    MutexLock lock(&mutex_);
    ++in_store_;
  }
  store::Transaction transaction;
  transaction.merchant_id = key.first;
  transaction.session_id = key.second;
  transaction.decide = [at](const store::Snapshot& snapshot) {
    store::Writes writes;
    if (snapshot.session && snapshot.session->open && snapshot.session->next_check_at > at) {
      writes.session = snapshot.session;
      writes.session->next_check_at = at;
    }
    return writes;
  };
  // If this fails, the session stays late, and Neglected() returns it again.
  store_->Commit(std::move(transaction), [this](absl::StatusOr<store::Committed>) {
    MutexLock lock(&mutex_);
    --in_store_;
    changed_.SignalAll();
  });
}

}  // namespace ipp::sessions
