#include <chrono>
#include <utility>

#include "server/base/status_macros.h"
#include "server/store/queued_store.h"

// The reads of QueuedStore.
namespace ipp::store {

template <typename T, typename F>
void QueuedStore::PushRead(F read, Done<T> done) {
  Read call = [read = std::move(read),
               done = std::move(done)](absl::StatusOr<ReadBackend*> reader) mutable {
    if (!reader.ok()) return std::move(done)(reader.status());
    std::move(done)(ResultForCaller<T>(read(**reader)));
  };
  if (reads_.Push(call)) return;
  answers_.Push([call = std::move(call), stopped = reads_.stopped()]() mutable {
    std::move(call)(stopped ? Closing() : QueueFull());
  });
}

void QueuedStore::ReadLoop() {
  using std::chrono::steady_clock;
  const auto interval = absl::ToChronoNanoseconds(options_.size_interval);
  auto measure_at = steady_clock::now();
  while (true) {
    if (steady_clock::now() >= measure_at) {
      MeasureSize();
      measure_at = steady_clock::now() + interval;
    }
    Inbox<Read>::Taken taken = reads_.Take(1, measure_at - steady_clock::now());
    for (Read& read : taken.work) {
      if (taken.stopping) {
        std::move(read)(Closing());
      } else {
        std::move(read)(reader_.get());
      }
    }
    if (taken.stopping) return;
  }
}

// The value of before stays when the database cannot be asked.
void QueuedStore::MeasureSize() {
  const absl::StatusOr<int64_t> bytes = reader_->SizeBytes();
  if (!bytes.ok()) return;
  size_bytes_.Set(static_cast<double>(*bytes));
}

void QueuedStore::FindSession(std::string merchant_id, std::string session_id,
                              Done<SessionRecord> done) {
  PushRead([merchant = std::move(merchant_id), session = std::move(session_id)](
               ReadBackend& reader) { return reader.FindSession(merchant, session); },
           std::move(done));
}

void QueuedStore::FindSessionByRequest(std::string merchant_id, std::string request_id,
                                       Done<SessionRecord> done) {
  PushRead([merchant = std::move(merchant_id), request = std::move(request_id)](
               ReadBackend& reader) { return reader.FindSessionByRequest(merchant, request); },
           std::move(done));
}

void QueuedStore::FindIntent(std::string merchant_id, std::string request_id,
                             Done<IntentRecord> done) {
  PushRead([merchant = std::move(merchant_id), request = std::move(request_id)](
               ReadBackend& reader) { return reader.FindIntent(merchant, request); },
           std::move(done));
}

void QueuedStore::ListIntents(IntentQuery query, Done<std::vector<IntentRecord>> done) {
  PushRead([query = std::move(query)](ReadBackend& reader) { return reader.ListIntents(query); },
           std::move(done));
}

void QueuedStore::AreSettled(std::vector<IntentKey> creates, Done<std::vector<bool>> done) {
  PushRead(
      [creates = std::move(creates)](ReadBackend& reader) { return reader.AreSettled(creates); },
      std::move(done));
}

void QueuedStore::CountIntents(Done<IntentCounts> done) {
  PushRead([](ReadBackend& reader) { return reader.CountIntents(); }, std::move(done));
}

void QueuedStore::CountOpen(absl::Time overdue_before, Done<OpenSessions> done) {
  PushRead([overdue_before](ReadBackend& reader) { return reader.CountOpen(overdue_before); },
           std::move(done));
}

void QueuedStore::SearchSessions(SessionQuery query, Done<SessionPage> done) {
  PushRead(
      [query = std::move(query)](ReadBackend& reader) -> absl::StatusOr<SessionPage> {
        IPP_ASSIGN_OR_RETURN(SessionScan scan, reader.ScanSessions(query));
        return PageOf(query, std::move(scan));
      },
      std::move(done));
}

void QueuedStore::ListCancels(std::string merchant_id, std::string session_id, int limit,
                              Done<std::vector<AskedCancel>> done) {
  PushRead([merchant = std::move(merchant_id), session = std::move(session_id),
            limit](ReadBackend& reader) { return reader.ListCancels(merchant, session, limit); },
           std::move(done));
}

void QueuedStore::ReadSessionEvents(std::string merchant_id, std::string session_id, int64_t after,
                                    int limit, Done<std::vector<StoredEvent>> done) {
  PushRead(
      [merchant = std::move(merchant_id), session = std::move(session_id), after,
       limit](ReadBackend& reader) {
        return reader.ReadSessionEvents(merchant, session, after, limit);
      },
      std::move(done));
}

void QueuedStore::ReadEvents(int64_t after, int limit, Done<std::vector<StoredEvent>> done) {
  PushRead([after, limit](ReadBackend& reader) { return reader.ReadEvents(after, limit); },
           std::move(done));
}

void QueuedStore::FindPosition(absl::Time time, Done<int64_t> done) {
  PushRead([time](ReadBackend& reader) { return reader.FindPosition(time); }, std::move(done));
}

void QueuedStore::ReadShared(SharedRead read, Done<std::any> done) {
  PushRead([read = std::move(read)](ReadBackend& reader) { return read(reader.shared()); },
           std::move(done));
}

// Reads the database: between a commit and its Publish() the bounds in memory are older than what a
// read may already have seen.
void QueuedStore::RefreshBounds(Done<LogBounds> done) {
  PushRead(
      [this](ReadBackend& reader) -> absl::StatusOr<LogBounds> {
        IPP_ASSIGN_OR_RETURN(const LogBounds read, reader.ReadBounds());
        log_.Learn(read);
        return bounds();
      },
      std::move(done));
}

}  // namespace ipp::store
