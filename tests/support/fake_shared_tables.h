#pragma once

#include <algorithm>
#include <any>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "server/store/shared_tables.h"

namespace ipp::store {

// What the tables of shared subscriptions hold, in memory.
struct FakeSharedRows {
  std::map<int64_t, SharedRecord> records;
  std::map<std::pair<int64_t, SessionKey>, SharedHead> heads;
  std::map<std::pair<int64_t, int64_t>, SharedParked> parked;  // subscription, position
};

// The tables and the reads over rows and a log in memory. The test sets the time. For one thread.
class FakeSharedTables final : public SharedTables, public SharedReads {
 public:
  // Both must outlive this. The log may begin and end anywhere.
  FakeSharedTables(FakeSharedRows* rows, const std::map<int64_t, StoredEvent>* log)
      : rows_(*rows), log_(*log) {}

  void set_now(absl::Time now) { now_ = now; }
  void set_range(int64_t oldest, int64_t latest) {
    oldest_ = oldest;
    latest_ = latest;
  }

  absl::Time now() const override { return now_; }

  absl::StatusOr<std::vector<SharedRecord>> List(const std::string& caller) override {
    return List(&caller);
  }
  absl::Status Insert(const SharedRecord& record) override {
    for (const auto& [id, other] : rows_.records) {
      if (id == record.id || (other.caller == record.caller && other.name == record.name)) {
        return absl::AlreadyExistsError("a shared subscription");
      }
    }
    rows_.records[record.id] = record;
    return absl::OkStatus();
  }
  absl::StatusOr<std::optional<SharedView>> Lock(int64_t id) override {
    const auto found = rows_.records.find(id);
    if (found == rows_.records.end()) return std::nullopt;
    return SharedView{.record = found->second, .now = now_, .oldest = oldest_, .latest = latest_};
  }
  absl::Status Move(const SharedRecord& record) override {
    SharedRecord& kept = rows_.records.at(record.id);
    kept.read_position = record.read_position;
    kept.due_floor = record.due_floor;
    kept.last_used_at = record.last_used_at;
    return absl::OkStatus();
  }
  absl::Status Remove(int64_t id) override {
    rows_.records.erase(id);
    std::erase_if(rows_.heads, [id](const auto& entry) { return entry.first.first == id; });
    std::erase_if(rows_.parked, [id](const auto& entry) { return entry.first.first == id; });
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<SharedHead>> Due(int64_t id, absl::Time after, absl::Time until,
                                              int limit) override {
    std::vector<SharedHead> due = HeadsWhere(id, [&](const SharedHead& head) {
      return head.position > 0 && head.due_at > after && head.due_at <= until;
    });
    std::stable_sort(due.begin(), due.end(),
                     [](const auto& a, const auto& b) { return a.due_at < b.due_at; });
    if (due.size() > static_cast<size_t>(limit)) due.resize(limit);
    return due;
  }
  absl::StatusOr<std::vector<SharedHead>> Heads(int64_t id,
                                                const std::vector<SessionKey>& sessions) override {
    std::vector<SharedHead> heads;
    for (const SessionKey& key : sessions) {
      const auto found = rows_.heads.find({id, key});
      if (found != rows_.heads.end()) heads.push_back(found->second);
    }
    return heads;
  }
  absl::StatusOr<std::vector<SharedHead>> HeadsBefore(int64_t id, int64_t position) override {
    return HeadsWhere(id, [&](const SharedHead& head) {
      return head.position > 0 && !head.redriven && head.position < position;
    });
  }
  absl::Status PutHeads(int64_t id, const std::vector<SharedHead>& heads) override {
    for (const SharedHead& head : heads) {
      rows_.heads[{id, SessionKey(head.merchant_id, head.session_id)}] = head;
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<StoredEvent>> EventsAfter(int64_t after, int limit) override {
    std::vector<StoredEvent> events;
    for (auto at = log_.upper_bound(after);
         at != log_.end() && events.size() < static_cast<size_t>(limit); ++at) {
      events.push_back(at->second);
    }
    return events;
  }
  absl::StatusOr<std::vector<StoredEvent>> EventsAt(
      const std::vector<int64_t>& positions) override {
    std::vector<StoredEvent> events;
    for (const int64_t position : positions) {
      const auto found = log_.find(position);
      if (found != log_.end()) events.push_back(found->second);
    }
    return events;
  }
  absl::StatusOr<std::vector<StoredEvent>> EventsOf(const std::vector<SessionRange>& ranges,
                                                    int64_t until, int limit) override {
    std::vector<StoredEvent> events;
    for (const SessionRange& range : ranges) {
      int left = limit;
      for (auto at = log_.upper_bound(range.after);
           at != log_.end() && at->first <= until && left > 0; ++at) {
        if (SessionKey(at->second.merchant_id, at->second.session_id) != range.session) continue;
        events.push_back(at->second);
        events.back().payload.clear();
        --left;
      }
    }
    return events;
  }

  absl::StatusOr<std::vector<SharedParked>> ParkedAt(
      int64_t id, const std::vector<int64_t>& positions) override {
    return ParkedWhere(id, [&](const SharedParked& parked) {
      return std::count(positions.begin(), positions.end(), parked.event.position) > 0;
    });
  }
  absl::StatusOr<std::vector<SharedParked>> ParkedBy(int64_t id,
                                                     const std::vector<std::string>& event_ids,
                                                     int limit) override {
    std::vector<SharedParked> found = ParkedWhere(id, [&](const SharedParked& parked) {
      return !parked.redriving &&
             (event_ids.empty() ||
              std::count(event_ids.begin(), event_ids.end(), parked.event_id) > 0);
    });
    if (event_ids.empty() && found.size() > static_cast<size_t>(limit)) found.resize(limit);
    return found;
  }
  absl::StatusOr<std::vector<SharedParked>> Redriving(
      int64_t id, const std::vector<SessionKey>& sessions) override {
    return ParkedWhere(id, [&](const SharedParked& parked) {
      const SessionKey key(parked.event.merchant_id, parked.event.session_id);
      return parked.redriving && std::count(sessions.begin(), sessions.end(), key) > 0;
    });
  }
  absl::Status PutParked(int64_t id, const std::vector<SharedParked>& parked) override {
    for (const SharedParked& one : parked) rows_.parked[{id, one.event.position}] = one;
    return absl::OkStatus();
  }
  absl::Status RemoveParked(int64_t id, const std::vector<int64_t>& positions) override {
    for (const int64_t position : positions) rows_.parked.erase({id, position});
    return absl::OkStatus();
  }

  // ---- SharedReads. ----

  absl::StatusOr<std::vector<SharedRecord>> List(const std::string* caller) override {
    std::vector<SharedRecord> records;
    for (const auto& [id, record] : rows_.records) {
      if (caller == nullptr || record.caller == *caller) records.push_back(record);
    }
    std::sort(records.begin(), records.end(), [](const auto& a, const auto& b) {
      return std::pair(a.caller, a.name) < std::pair(b.caller, b.name);
    });
    return records;
  }
  absl::StatusOr<std::optional<SharedCounts>> Count(int64_t id, absl::Time now) override {
    const auto found = rows_.records.find(id);
    if (found == rows_.records.end()) return std::nullopt;
    SharedCounts counts;
    counts.read_position = found->second.read_position;
    counts.last_used_at = found->second.last_used_at;
    for (const SharedHead& head :
         HeadsWhere(id, [](const SharedHead& head) { return head.position > 0; })) {
      ++(head.out && head.leased_until > now ? counts.out : counts.held);
      counts.oldest = std::min(counts.oldest, head.recorded_at);
      if (head.redriven) continue;
      counts.oldest_position = counts.oldest_position == 0
                                   ? head.position
                                   : std::min(counts.oldest_position, head.position);
    }
    const auto unread = log_.upper_bound(counts.read_position);
    if (unread != log_.end()) counts.unread_at = unread->second.recorded_at;
    counts.parked = static_cast<int64_t>(
        ParkedWhere(id, [](const SharedParked& parked) { return !parked.redriving; }).size());
    return counts;
  }
  absl::StatusOr<std::vector<SharedParked>> ListParked(int64_t id, int64_t after,
                                                       int limit) override {
    std::vector<SharedParked> found = ParkedWhere(id, [&](const SharedParked& parked) {
      return !parked.redriving && parked.event.position > after;
    });
    if (found.size() > static_cast<size_t>(limit)) found.resize(limit);
    return found;
  }

 private:
  template <typename F>
  std::vector<SharedHead> HeadsWhere(int64_t id, F wanted) {
    std::vector<SharedHead> heads;
    for (const auto& [key, head] : rows_.heads) {
      if (key.first == id && wanted(head)) heads.push_back(head);
    }
    return heads;
  }
  template <typename F>
  std::vector<SharedParked> ParkedWhere(int64_t id, F wanted) {
    std::vector<SharedParked> parked;
    for (const auto& [key, one] : rows_.parked) {
      if (key.first == id && wanted(one)) parked.push_back(one);
    }
    return parked;
  }

  FakeSharedRows& rows_;
  const std::map<int64_t, StoredEvent>& log_;
  absl::Time now_ = absl::UnixEpoch();
  int64_t oldest_ = 1;
  int64_t latest_ = 0;
};

}  // namespace ipp::store
