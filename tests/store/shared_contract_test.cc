#include <any>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "tests/store/store_contract.h"
#include "tests/support/fake_shared_tables.h"

// The rows of shared subscriptions: whatever is written, both databases read the same as the tables
// in memory, on which server/shared is tested.
namespace ipp::store {
namespace {

using namespace contract;  // NOLINT: the words of these tests

constexpr int64_t kId = 7;

std::string Text(absl::Time time) { return absl::StrCat(absl::ToUnixNanos(time)); }

std::string Text(const SharedHead& head) {
  return absl::StrJoin(
      {absl::StrCat("head ", head.merchant_id, "/", head.session_id), absl::StrCat(head.position),
       absl::StrCat(head.redriven), absl::StrCat(head.settled_through), absl::StrCat(head.attempts),
       absl::StrCat(head.lease), absl::StrCat(head.out), Text(head.leased_until), Text(head.due_at),
       Text(head.first_at), Text(head.recorded_at), head.consumer, head.last_error,
       absl::StrJoin(head.settled, ","), Text(head.settled_at)},
      " ");
}

std::string Text(const SharedParked& parked) {
  return absl::StrJoin(
      {absl::StrCat("parked ", parked.event.position), parked.event_id,
       Text(parked.event.recorded_at), parked.event.merchant_id, parked.event.session_id,
       absl::StrCat(parked.attempts), Text(parked.first_at), Text(parked.parked_at), parked.reason,
       parked.consumer, absl::StrCat(parked.redriving), parked.event.payload},
      " ");
}

std::string Text(const StoredEvent& event) {
  return absl::StrCat("event ", event.position, " ", Text(event.recorded_at), " ",
                      event.merchant_id, "/", event.session_id, " ", event.device_id, " ",
                      event.type, " ", event.merchant_reference1, " ", event.payload.size());
}

std::string Text(const SharedRecord& record) {
  return absl::StrCat("record ", record.id, " ", record.caller, " ", record.name, " ", record.spec,
                      " ", record.read_position, " ", Text(record.due_floor), " ",
                      Text(record.created_at), " ", Text(record.last_used_at));
}

std::string Text(const SharedCounts& counts) {
  return absl::StrCat("counts ", counts.read_position, " ", counts.out, " ", counts.held, " ",
                      counts.parked, " ", Text(counts.last_used_at), " ", Text(counts.oldest), " ",
                      Text(counts.unread_at), " ", counts.oldest_position);
}

template <typename Row>
std::string Text(const absl::StatusOr<std::vector<Row>>& rows, bool ordered = true) {
  if (!rows.ok()) return rows.status().ToString();
  std::vector<std::string> texts;
  for (const Row& row : *rows) texts.push_back(Text(row));
  if (!ordered) std::sort(texts.begin(), texts.end());
  return absl::StrJoin(texts, "\n");
}

SharedRecord NewRecord(int64_t id, const std::string& name) {
  SharedRecord record;
  record.id = id;
  record.caller = "shop";
  record.name = name;
  record.spec = std::string("\0spec", 5);
  record.created_at = record.last_used_at = absl::FromUnixSeconds(1'790'000'000);
  return record;
}

class SharedContract : public testing::TestWithParam<std::unique_ptr<StoreBed> (*)()> {
 protected:
  // Runs `work` in a transaction of the store.
  absl::Status Change(const std::function<absl::Status(SharedTables&)>& work) {
    return Await<std::any>([&](Done<std::any> done) {
             store_->ChangeShared(
                 {.id = kId,
                  .work = [work](SharedTables& tables) -> absl::StatusOr<std::any> {
                    const absl::Status status = work(tables);
                    if (!status.ok()) return status;
                    return std::any();
                  }},
                 std::move(done));
           })
        .status();
  }
  template <typename T>
  T Read(const std::function<T(SharedReads&)>& read) {
    return std::any_cast<T>(*Await<std::any>([&](Done<std::any> done) {
      store_->ReadShared(
          [read](SharedReads& reads) -> absl::StatusOr<std::any> { return std::any(read(reads)); },
          std::move(done));
    }));
  }
  // Appends an event, to the store and to `log_`.
  void Append(const std::string& session_id) {
    Transaction transaction;
    transaction.merchant_id = "PM1";
    transaction.session_id = session_id;
    transaction.decide = [session_id](const Snapshot&) {
      NewEvent event;
      event.event.set_event_id("e");
      event.event.set_merchant_id("PM1");
      event.event.set_session_id(session_id);
      event.event.set_type(kustom::ipp::v1::SESSION_EVENT_TYPE_CREATED);
      event.event.mutable_session()->set_device_id("device");
      return Writes{.events = {event}};
    };
    ASSERT_TRUE(Commit(*store_, std::move(transaction)).ok());
    const auto rows = Await<std::vector<StoredEvent>>([&](Done<std::vector<StoredEvent>> done) {
      store_->ReadEvents(static_cast<int64_t>(log_.size()), 1, std::move(done));
    });
    ASSERT_TRUE(rows.ok());
    for (const StoredEvent& row : *rows) log_.emplace(row.position, row);
  }

  const std::unique_ptr<StoreBed> bed_ = GetParam()();
  std::unique_ptr<Store> store_ = bed_->Open(10000);
  std::map<int64_t, StoredEvent> log_;
};

INSTANTIATE_TEST_SUITE_P(Fake, SharedContract, testing::Values(&MakeFakeBed));
INSTANTIATE_TEST_SUITE_P(Sqlite, SharedContract, testing::Values(&MakeSqliteBed));
INSTANTIATE_TEST_SUITE_P(Postgres, SharedContract, testing::Values(&MakePostgresBed));
INSTANTIATE_TEST_SUITE_P(NewerSqlite, SharedContract, testing::Values(&MakeNewerSqliteBed));
INSTANTIATE_TEST_SUITE_P(NewerPostgres, SharedContract, testing::Values(&MakeNewerPostgresBed));

// Makes the same random changes to two tables and returns what the reads of each say.
class RandomChanges {
 public:
  explicit RandomChanges(uint64_t seed) : random_(seed) {}

  std::string Run(SharedTables& tables) {
    std::vector<std::string> said;
    for (int i = 0; i < 6; ++i) said.push_back(One(tables));
    return absl::StrJoin(said, "\n--\n");
  }

 private:
  int Pick(int below) { return static_cast<int>(random_() % static_cast<uint64_t>(below)); }
  absl::Time When() { return absl::FromUnixSeconds(1'790'000'000 + Pick(20)); }
  SessionKey Session() { return {"PM1", absl::StrCat("s", Pick(5))}; }
  std::vector<SessionKey> Sessions() {
    std::set<SessionKey> sessions;
    for (int i = Pick(4); i > 0; --i) sessions.insert(Session());
    return {sessions.begin(), sessions.end()};
  }
  std::vector<int64_t> Positions() {
    std::set<int64_t> positions;
    for (int i = Pick(4); i > 0; --i) positions.insert(1 + Pick(12));
    return {positions.begin(), positions.end()};
  }

  std::vector<SharedHead> NewHeads() {
    std::vector<SharedHead> heads;
    for (const SessionKey& key : Sessions()) {
      SharedHead& head = heads.emplace_back();
      head.merchant_id = key.first;
      head.session_id = key.second;
      head.position = Pick(3) == 0 ? 0 : 1 + Pick(12);
      head.redriven = Pick(2) == 0;
      head.settled_through = Pick(12);
      head.attempts = Pick(5);
      head.lease = random_();
      head.out = Pick(2) == 0;
      head.leased_until = When();
      // Each at a time of its own, so that the order is known.
      head.due_at = When() + absl::Nanoseconds(++due_);
      head.first_at = When();
      head.recorded_at = When();
      head.consumer = absl::StrCat("pod ", Pick(3));
      head.last_error = std::string("no\0thing", 8);
      for (int i = Pick(3); i > 0; --i) head.settled.push_back(random_());
      head.settled_at = When();
    }
    return heads;
  }

  std::vector<SharedParked> NewParked() {
    std::vector<SharedParked> all;
    for (const int64_t position : Positions()) {
      SharedParked& parked = all.emplace_back();
      const SessionKey session("PM1", absl::StrCat("s", position % 5));
      parked.event.position = position;
      parked.event.recorded_at = absl::FromUnixSeconds(1'790'000'000 + position);
      parked.event.merchant_id = session.first;
      parked.event.session_id = session.second;
      parked.event.payload = std::string("\xff\0payload", 9);
      parked.event_id = absl::StrCat("e", position);
      parked.attempts = Pick(9);
      parked.first_at = When();
      parked.parked_at = When();
      parked.reason = "why";
      parked.consumer = "pod";
      parked.redriving = Pick(2) == 0;
    }
    return all;
  }

  std::string One(SharedTables& tables) {
    switch (Pick(14)) {
      case 0:
      case 1:
        return tables.PutHeads(kId, NewHeads()).ToString();
      case 2:
        return tables.PutParked(kId, NewParked()).ToString();
      case 3:
        return tables.RemoveParked(kId, Positions()).ToString();
      case 4: {
        const auto view = tables.Lock(kId);
        if (!view.ok() || !*view) return "no view";
        SharedRecord record = (*view)->record;
        record.read_position += Pick(3);
        record.due_floor = When();
        record.last_used_at = When();
        return absl::StrCat(Text((*view)->record), " ", (*view)->oldest, " ", (*view)->latest,
                            tables.Move(record).ToString());
      }
      case 5: {
        const absl::Time after = When();
        return Text(tables.Due(kId, after, after + absl::Seconds(Pick(20)), 1 + Pick(4)));
      }
      case 6:
        return Text(tables.Heads(kId, Sessions()), false);
      case 7:
        return Text(tables.HeadsBefore(kId, Pick(12)), false);
      case 8:
        return Text(tables.EventsAfter(Pick(12), 1 + Pick(5)));
      case 9:
        return Text(tables.EventsAt(Positions()));
      case 10: {
        std::vector<SessionRange> ranges;
        for (const SessionKey& key : Sessions()) ranges.push_back({key, Pick(8)});
        return Text(tables.EventsOf(ranges, Pick(13), 1 + Pick(3)));
      }
      case 11:
        return Text(tables.ParkedAt(kId, Positions()), false);
      case 12: {
        std::vector<std::string> ids;
        for (const int64_t position : Positions()) ids.push_back(absl::StrCat("e", position));
        return Text(tables.ParkedBy(kId, ids, 1 + Pick(3)), false);
      }
      default:
        return Text(tables.Redriving(kId, Sessions()), false);
    }
  }

  std::mt19937_64 random_;
  int due_ = 0;
};

TEST_P(SharedContract, RowsAreReadAsTheyWereWritten) {
  for (int i = 0; i < 12; ++i) Append(absl::StrCat("s", i % 5));
  FakeSharedRows rows;
  FakeSharedTables model(&rows, &log_);
  model.set_range(1, 12);
  // The other one's rows are left alone.
  for (const SharedRecord& record : {NewRecord(kId, "orders"), NewRecord(8, "others")}) {
    ASSERT_TRUE(Change([&](SharedTables& tables) { return tables.Insert(record); }).ok());
    ASSERT_TRUE(model.Insert(record).ok());
  }
  for (uint64_t seed = 1; seed <= 150; ++seed) {
    std::string said;
    ASSERT_TRUE(Change([&](SharedTables& tables) {
                  said = RandomChanges(seed).Run(tables);
                  return absl::OkStatus();
                }).ok());
    ASSERT_EQ(said, RandomChanges(seed).Run(model)) << "seed " << seed;
    const absl::Time now = absl::FromUnixSeconds(1'790'000'010);
    ASSERT_EQ(Read<std::string>([&](SharedReads& reads) {
                const auto counts = reads.Count(kId, now);
                return absl::StrCat(Text(reads.List(nullptr)), Text(**counts), "\n",
                                    Text(reads.ListParked(kId, 2, 3)));
              }),
              absl::StrCat(Text(model.List(nullptr)), Text(**model.Count(kId, now)), "\n",
                           Text(model.ListParked(kId, 2, 3))))
        << "seed " << seed;
  }
}

TEST_P(SharedContract, WhatFailsWritesNothing) {
  ASSERT_TRUE(
      Change([](SharedTables& tables) { return tables.Insert(NewRecord(kId, "orders")); }).ok());
  EXPECT_FALSE(Change([](SharedTables& tables) {
                 SharedRecord record = NewRecord(kId, "orders");
                 record.read_position = 5;
                 EXPECT_TRUE(tables.Move(record).ok());
                 return absl::InvalidArgumentError("no");
               }).ok());
  EXPECT_TRUE(Change([](SharedTables& tables) {
                const auto view = tables.Lock(kId);
                EXPECT_EQ((*view)->record.read_position, 0);
                return absl::OkStatus();
              }).ok());
}

TEST_P(SharedContract, ANameIsTakenOnce) {
  ASSERT_TRUE(
      Change([](SharedTables& tables) { return tables.Insert(NewRecord(kId, "orders")); }).ok());
  EXPECT_TRUE(absl::IsAlreadyExists(
      Change([](SharedTables& tables) { return tables.Insert(NewRecord(9, "orders")); })));
  EXPECT_TRUE(Change([](SharedTables& tables) { return tables.Remove(kId); }).ok());
  EXPECT_TRUE(
      Change([](SharedTables& tables) { return tables.Insert(NewRecord(9, "orders")); }).ok());
}

TEST_P(SharedContract, RemovesWhatBelongsToASubscription) {
  ASSERT_TRUE(Change([](SharedTables& tables) {
                EXPECT_TRUE(tables.Insert(NewRecord(kId, "orders")).ok());
                SharedHead head;
                head.merchant_id = "PM1";
                head.session_id = "s1";
                head.position = 1;
                EXPECT_TRUE(tables.PutHeads(kId, {head}).ok());
                SharedParked parked;
                parked.event.position = 2;
                return tables.PutParked(kId, {parked});
              }).ok());
  ASSERT_TRUE(Change([](SharedTables& tables) { return tables.Remove(kId); }).ok());
  ASSERT_TRUE(Change([](SharedTables& tables) {
                EXPECT_FALSE(tables.Lock(kId)->has_value());
                EXPECT_TRUE(tables.Heads(kId, {{"PM1", "s1"}})->empty());
                EXPECT_TRUE(tables.ParkedAt(kId, {2})->empty());
                return absl::OkStatus();
              }).ok());
}

// Only what concerns one change fails with it.
TEST_P(SharedContract, AChangeThatFailsByItselfLeavesTheOthers) {
  ASSERT_TRUE(
      Change([](SharedTables& tables) { return tables.Insert(NewRecord(kId, "orders")); }).ok());
  Gate gate;
  store_->Commit(gate.transaction(), [](const absl::StatusOr<Committed>&) {});
  gate.WaitUntilEntered();
  std::vector<std::future<absl::Status>> ends;
  for (int i = 0; i < 3; ++i) {
    auto end = std::make_shared<std::promise<absl::Status>>();
    ends.push_back(end->get_future());
    store_->ChangeShared(
        {.id = kId,
         .work = [i](SharedTables& tables) -> absl::StatusOr<std::any> {
           if (i == 1) return absl::InvalidArgumentError("this one");
           const auto view = tables.Lock(kId);
           if (!view.ok()) return view.status();
           SharedRecord record = (*view)->record;
           ++record.read_position;
           const absl::Status moved = tables.Move(record);
           if (!moved.ok()) return moved;
           return std::any();
         }},
        [end](const absl::StatusOr<std::any>& result) { end->set_value(result.status()); });
  }
  gate.Open();
  EXPECT_TRUE(ends[0].get().ok());
  EXPECT_TRUE(absl::IsInvalidArgument(ends[1].get()));
  EXPECT_TRUE(ends[2].get().ok());
  ASSERT_TRUE(Change([](SharedTables& tables) {
                EXPECT_EQ((*tables.Lock(kId))->record.read_position, 2);
                return absl::OkStatus();
              }).ok());
}

}  // namespace
}  // namespace ipp::store
