// What a store keeps, and what it refuses: the same transaction has the same fate in every store,
// whatever its values are, and what is refused fails alone.

#include <gmock/gmock.h>

#include <cstdint>
#include <future>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/store/keepable.h"
#include "tests/store/intents.h"
#include "tests/store/store_contract.h"
#include "tests/support/fake_store.h"

namespace ipp::store::contract {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Nothing that a database could compress: an index has room for the compressed value.
std::string Noise(size_t size, unsigned seed = 1) {
  std::mt19937 random(seed);
  std::string text;
  while (text.size() < size) text.push_back(static_cast<char>(' ' + random() % 95));
  return text;
}

struct Value {
  const char* name;
  std::string text;
};

std::vector<Value> NastyIds() {
  return {{"Plain", "s1"},
          {"InCapitals", "S1"},
          {"Space", " "},
          {"SpaceBehind", "s1 "},
          {"Zero", std::string(1, '\0')},
          {"ZeroInside", std::string("s\0001", 3)},
          {"ZeroBehind", std::string("s1\0", 3)},
          {"Quotes", "'; DROP TABLE sessions; --\"\\"},
          {"Backslashes", "\\x00\\000"},
          {"BeyondAscii", "\u00e5\u2603\U0001f4b3"},
          {"LastCodePoint", "\U0010ffff"},
          {"LineBreaks", "a\r\nb"},
          {"Longest", Noise(kMaxIdBytes)},
          {"LongestOther", Noise(kMaxIdBytes - 1) + "\u007f"}};
}

std::vector<Value> RefusedIds() {
  return {{"OneTooMany", Noise(kMaxIdBytes + 1)},
          {"BeyondAnIndexEntry", Noise(3000)},
          {"Huge", Noise(256 * 1024)},
          {"NotUtf8", "s\xff"},
          {"CutUtf8", "\xe2\x98"},
          {"OverlongUtf8", "\xc0\x80"},
          {"Surrogate", "\xed\xa0\x80"},
          {"BeyondUnicode", "\xf4\x90\x80\x80"}};
}

std::vector<absl::Time> NastyTimes() {
  return {absl::UnixEpoch(),
          absl::UnixEpoch() - absl::Nanoseconds(1),
          absl::FromUnixNanos(std::numeric_limits<int64_t>::max()),
          absl::FromUnixNanos(std::numeric_limits<int64_t>::min()),
          absl::FromUnixSeconds(-62135596800),
          absl::FromUnixSeconds(253402300799),
          absl::InfinitePast(),
          absl::InfiniteFuture()};
}

std::string Show(const absl::StatusOr<SessionRecord>& record) {
  if (!record.ok()) return absl::StatusCodeToString(record.status().code());
  return absl::StrCat(
      record->merchant_id, "|", record->session.SerializeAsString(), "|", record->request_id, "|",
      record->complete, record->open, "|", absl::FormatTime(record->created_at), "|",
      absl::FormatTime(record->updated_at), "|", absl::FormatTime(record->next_check_at), "|",
      record->checks, "|", record->held_event, "|", record->trace.traceparent, "|",
      record->trace.tracestate);
}

std::string Show(const absl::StatusOr<IntentRecord>& intent) {
  if (!intent.ok()) return absl::StatusCodeToString(intent.status().code());
  return absl::StrCat(intent->merchant_id, "|", intent->request_id, "|", intent->rpc, "|",
                      intent->caller, "|", intent->request, "|", static_cast<int>(intent->state),
                      "|", intent->owner, "|", absl::FormatTime(intent->under_way_until), "|",
                      absl::FormatTime(intent->settle_by), "|", intent->answer, "|",
                      intent->session_id, "|", absl::FormatTime(intent->created_at), "|",
                      absl::FormatTime(intent->updated_at), "|", intent->trace.traceparent);
}

absl::StatusOr<IntentRecord> FindIntent(Store& store, const std::string& request_id) {
  return Await<IntentRecord>(
      [&](Done<IntentRecord> done) { store.FindIntent("PM1", request_id, std::move(done)); });
}

class KeepableContract : public testing::TestWithParam<std::unique_ptr<StoreBed> (*)()> {
 protected:
  void Reopen() {
    store_.reset();
    store_ = bed_->Open(10000);
  }

  // Commits `transaction` in a batch between two others, which must not suffer.
  absl::Status CommitAmongOthers(Transaction transaction) {
    const std::string id = absl::StrCat("beside", ++beside_);
    Gate gate;
    std::promise<absl::Status> before, among, after;
    store_->Commit(gate.transaction(), [](absl::StatusOr<Committed>) {});
    gate.WaitUntilEntered();
    store_->Commit(Append(id), [&](absl::StatusOr<Committed> c) { before.set_value(c.status()); });
    store_->Commit(std::move(transaction),
                   [&](absl::StatusOr<Committed> c) { among.set_value(c.status()); });
    store_->Commit(Append(id), [&](absl::StatusOr<Committed> c) { after.set_value(c.status()); });
    gate.Open();
    EXPECT_EQ(before.get_future().get(), absl::OkStatus());
    EXPECT_EQ(after.get_future().get(), absl::OkStatus());
    EXPECT_EQ(store_->health(), absl::OkStatus());
    return among.get_future().get();
  }

  const std::unique_ptr<StoreBed> bed_ = GetParam()();
  std::unique_ptr<Store> store_ = bed_->Open(10000);
  int beside_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Fake, KeepableContract, testing::Values(&MakeFakeBed));
INSTANTIATE_TEST_SUITE_P(Sqlite, KeepableContract, testing::Values(&MakeSqliteBed));
INSTANTIATE_TEST_SUITE_P(Postgres, KeepableContract, testing::Values(&MakePostgresBed));

TEST_P(KeepableContract, KeepsEveryIdApartFromEveryOther) {
  const std::vector<Value> ids = NastyIds();
  int32_t mark = 0;
  for (const Value& id : ids) {
    SessionRecord record = Record(id.text, absl::StrCat("of ", id.name));
    record.checks = ++mark;
    EXPECT_EQ(CommitAmongOthers(Put(record)), absl::OkStatus()) << id.name;
    IntentRecord intent = Intent(bed_->clock.Now(), id.text);
    intent.caller = id.name;
    EXPECT_EQ(CommitAmongOthers(PutIntent(intent)), absl::OkStatus()) << id.name;
  }
  Reopen();
  mark = 0;
  for (const Value& id : ids) {
    const auto found = Find(*store_, id.text);
    ASSERT_TRUE(found.ok()) << id.name << found.status();
    EXPECT_EQ(found->session.session_id(), id.text) << id.name;
    EXPECT_EQ(found->checks, ++mark) << id.name;
    EXPECT_EQ(FindByRequest(*store_, absl::StrCat("of ", id.name))->session.session_id(), id.text);
    EXPECT_EQ(FindIntent(*store_, id.text)->caller, id.name);
  }
}

TEST_P(KeepableContract, RefusesIdsThatNoStoreKeepsAndNamesThem) {
  for (const Value& id : RefusedIds()) {
    SessionRecord by_request = Record("s1", id.text);
    SessionRecord by_merchant = Record("s1");
    by_merchant.merchant_id = id.text;
    IntentRecord intent = Intent(bed_->clock.Now(), id.text);
    IntentRecord of_session = Intent(bed_->clock.Now(), "r1");
    of_session.session_id = id.text;
    const std::pair<const char*, Transaction> rows[] = {{"session_id", Put(Record(id.text))},
                                                        {"request_id", Put(by_request)},
                                                        {"merchant_id", Put(by_merchant)},
                                                        {"request_id", PutIntent(intent)},
                                                        {"session_id", PutIntent(of_session)}};
    for (const auto& [field, transaction] : rows) {
      const absl::Status status = CommitAmongOthers(transaction);
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << id.name << status;
      EXPECT_THAT(std::string(status.message()), HasSubstr(field)) << id.name;
    }
    EXPECT_TRUE(absl::IsNotFound(Find(*store_, id.text).status())) << id.name;
  }
  EXPECT_TRUE(absl::IsNotFound(Find(*store_, "s1").status()));
}

TEST_P(KeepableContract, RemembersDedupKeysOfAnyLength) {
  std::vector<std::string> keys = {"a",
                                   std::string("a\0", 2),
                                   "A",
                                   "\xff\xfe",
                                   Noise(512),
                                   Noise(513),
                                   Noise(513, 2),
                                   Noise(3000),
                                   Noise(3000) + "x",
                                   Noise(256 * 1024),
                                   Noise(256 * 1024) + "x"};
  for (const std::string& key : keys) {
    EXPECT_FALSE(Commit(*store_, Append("e", key))->already_seen) << key.size();
  }
  Reopen();
  for (const std::string& key : keys) {
    EXPECT_TRUE(Commit(*store_, Append("e", key))->already_seen) << key.size();
  }
}

TEST_P(KeepableContract, RefusesMoreThanATransactionMayWrite) {
  SessionRecord record = Record("s1");
  record.session.set_merchant_data(std::string(kMaxTransactionBytes, 'x'));
  const absl::Status status = CommitAmongOthers(Put(record));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_TRUE(absl::IsNotFound(Find(*store_, "s1").status()));
}

TEST_P(KeepableContract, KeepsTheLargestThatComesIn) {
  SessionRecord record = Record("s1");
  record.session.set_merchant_data(Noise(9 << 20));
  record.held_event = std::string(9 << 20, '\0');
  record.updated_at = bed_->clock.Now();
  ASSERT_EQ(CommitAmongOthers(Put(record)), absl::OkStatus());
  EXPECT_TRUE(Show(Find(*store_, "s1")) == Show(record)) << "too long to be shown";
}

// Random transactions of nasty values, one after another: the same answers, and the same is found.
// Sessions are open and intents new, so that no store trims them meanwhile.
TEST_P(KeepableContract, DoesWithAnyTransactionWhatTheFakeDoes) {
  std::mt19937 random(20261128);
  FakeStore reference(&bed_->clock);
  std::vector<std::string> ids;
  for (const auto& values : {NastyIds(), RefusedIds()}) {
    for (const Value& value : values) ids.push_back(value.text);
  }
  const std::vector<absl::Time> times = NastyTimes();
  const auto id = [&] { return ids[random() % ids.size()]; };
  const auto time = [&] { return times[random() % times.size()]; };
  const int32_t numbers[] = {0, 1, -1, std::numeric_limits<int32_t>::max(),
                             std::numeric_limits<int32_t>::min()};
  const auto number = [&] { return numbers[random() % 5]; };
  const auto bytes = [&] { return random() % 4 == 0 ? std::string() : Noise(random() % 5000); };
  for (int i = 0; i < 150; ++i) {
    Writes writes;
    writes.session = Record(id(), random() % 2 == 0 ? "" : id());
    writes.session->session.set_status(static_cast<kustom::ipp::v1::SessionStatus>(number()));
    writes.session->session.set_order_amount(std::numeric_limits<int64_t>::min() + i);
    writes.session->complete = random() % 2 == 0;
    writes.session->created_at = time();
    writes.session->updated_at = time();
    writes.session->next_check_at = time();
    writes.session->checks = number();
    writes.session->held_event = bytes();
    writes.session->trace.traceparent = bytes();
    Transaction transaction;
    transaction.merchant_id = "PM1";
    transaction.session_id = writes.session->session.session_id();
    transaction.dedup_key = bytes();
    if (random() % 2 == 0) {
      writes.intent = Intent(time(), id(), static_cast<IntentState>(1 + random() % 5));
      writes.intent->updated_at = bed_->clock.Now();
      writes.intent->rpc = bytes();
      writes.intent->caller = bytes();
      writes.intent->request = bytes();
      writes.intent->answer = bytes();
      writes.intent->under_way_until = time();
      writes.intent->settle_by = time();
      transaction.request_id = writes.intent->request_id;
    }
    NewEvent event = Event(bytes());
    event.event.set_type(static_cast<kustom::ipp::v1::SessionEventType>(number()));
    event.event.mutable_session()->set_merchant_reference1(bytes());
    event.event.mutable_occurred_at()->set_seconds(253402300799);
    writes.events.push_back(event);
    transaction.decide = [writes](const Snapshot& snapshot) {
      return snapshot.already_seen ? Writes{} : writes;
    };

    const auto committed = Commit(*store_, transaction);
    const auto expected = Commit(reference, transaction);
    ASSERT_EQ(committed.status().code(), expected.status().code())
        << i << committed.status() << expected.status();
    if (committed.ok()) {
      ASSERT_EQ(committed->positions, expected->positions) << i;
      ASSERT_EQ(committed->already_seen, expected->already_seen) << i;
    }
    ASSERT_EQ(Show(Find(*store_, transaction.session_id)),
              Show(Find(reference, transaction.session_id)))
        << i;
    ASSERT_EQ(Show(FindIntent(*store_, transaction.request_id)),
              Show(FindIntent(reference, transaction.request_id)))
        << i;
    const std::string request_id = writes.session->request_id;
    if (!request_id.empty()) {
      ASSERT_EQ(Show(FindByRequest(*store_, request_id)),
                Show(FindByRequest(reference, request_id)))
          << i;
    }
    const absl::Time at = time();
    ASSERT_EQ(PositionAt(*store_, at).value_or(-1), PositionAt(reference, at).value_or(-1)) << at;
  }
  const auto rows = *Read(*store_, 0);
  const auto expected = *Read(reference, 0);
  ASSERT_EQ(rows.size(), expected.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i].payload, expected[i].payload);
    EXPECT_EQ(rows[i].type, expected[i].type);
    EXPECT_EQ(rows[i].merchant_reference1, expected[i].merchant_reference1);
  }
}

}  // namespace
}  // namespace ipp::store::contract
