#include "server/store/batch.h"

#include "gmock/gmock.h"
#include "tests/store/store_contract.h"

namespace ipp::store {
namespace {

using namespace contract;  // NOLINT: the words of these tests
using testing::ElementsAre;
using testing::IsEmpty;

absl::StatusOr<BatchWrites> Decide(const std::vector<Transaction>& batch, BatchReads reads = {},
                                   absl::Time now = absl::FromUnixSeconds(100)) {
  std::vector<const Transaction*> pointers;
  for (const Transaction& transaction : batch) pointers.push_back(&transaction);
  return store::Decide(pointers, std::move(reads), now);
}

TEST(PostgresBatch, ReadsEachKeyOnceAndNoEmptyOne) {
  const std::vector<Transaction> batch = {Append("a", "k"), Append("b", "k"), Append("c"),
                                          Count("s1"), Count("s1")};
  std::vector<const Transaction*> pointers;
  for (const Transaction& transaction : batch) pointers.push_back(&transaction);
  const BatchKeys keys = KeysOf(pointers);
  EXPECT_THAT(keys.dedup_keys, ElementsAre("k"));
  EXPECT_THAT(keys.sessions, ElementsAre(SessionKey("PM1", "s1")));
}

TEST(PostgresBatch, ShowsEachTransactionWhatTheEarlierOnesWrote) {
  BatchReads reads;
  reads.last_position = 7;
  reads.seen = {"old"};
  SessionRecord known = Record("s1");
  known.checks = 5;
  reads.sessions.emplace(SessionKey("PM1", "s1"), known);
  const auto writes = *Decide(
      {Count("s1"), Append("a", "new"), Append("b", "old"), Append("c", "new"), Count("s1")},
      reads);

  EXPECT_THAT(writes.seen, ElementsAre("new"));
  EXPECT_EQ(writes.committed[0].session->checks, 6);
  EXPECT_FALSE(writes.committed[1].already_seen);
  EXPECT_TRUE(writes.committed[2].already_seen);
  EXPECT_TRUE(writes.committed[3].already_seen);
  EXPECT_EQ(writes.committed[4].session->checks, 7);
  EXPECT_EQ(writes.sessions.size(), 1u);
  EXPECT_EQ(writes.sessions.begin()->second.checks, 7);
  EXPECT_THAT(Ids(writes.events), ElementsAre("s1#6", "a", "s1#7"));
  EXPECT_THAT(writes.committed[4].positions, ElementsAre(10));
  EXPECT_EQ(writes.last_position, 10);
}

TEST(PostgresBatch, StampsWithTheClockButNeverBackInTime) {
  BatchReads reads;
  reads.last_recorded_at = absl::FromUnixSeconds(90);
  EXPECT_EQ(Decide({Append("a")}, reads)->events[0].recorded_at, absl::FromUnixSeconds(100));
  reads.last_recorded_at = absl::FromUnixSeconds(110);
  EXPECT_EQ(Decide({Append("a")}, reads)->events[0].recorded_at, absl::FromUnixSeconds(110));
  EXPECT_EQ(Decide({Append("a")}, reads)->recorded_at, absl::FromUnixSeconds(110));
}

TEST(PostgresBatch, WritesNothingForWhatDecidesNothing) {
  Transaction none;
  none.decide = [](const Snapshot&) { return Writes{}; };
  const auto writes = *Decide({none});
  EXPECT_THAT(writes.events, IsEmpty());
  EXPECT_THAT(writes.seen, IsEmpty());
  EXPECT_THAT(writes.sessions, IsEmpty());
  EXPECT_EQ(writes.committed.size(), 1u);
}

TEST(PostgresBatch, IsTakenApartWhenARequestIdIsGivenUp) {
  BatchReads reads;
  reads.sessions.emplace(SessionKey("PM1", "s1"), Record("s1", "r1"));
  EXPECT_TRUE(
      absl::IsAlreadyExists(Decide({Put(Record("s1", "r2")), Append("a")}, reads).status()));
  EXPECT_TRUE(Decide({Put(Record("s1", "r2"))}, reads).ok());
  EXPECT_TRUE(Decide({Put(Record("s1", "r1")), Append("a")}, reads).ok());
  EXPECT_TRUE(absl::IsAlreadyExists(
      Decide({Put(Record("s2", "r3")), Put(Record("s2", "r4"))}, {}).status()));
}

}  // namespace
}  // namespace ipp::store
