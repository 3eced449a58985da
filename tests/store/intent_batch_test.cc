#include "gmock/gmock.h"
#include "server/store/batch.h"
#include "tests/store/intents.h"
#include "tests/store/store_contract.h"

// What becomes of creates within one batch; no database here.
namespace ipp::store {
namespace {

using namespace contract;  // NOLINT: the words of these tests
using testing::ElementsAre;

const absl::Time kNow = absl::FromUnixSeconds(100);

absl::StatusOr<BatchWrites> Decide(const std::vector<Transaction>& batch, BatchReads reads = {}) {
  std::vector<const Transaction*> pointers;
  for (const Transaction& transaction : batch) pointers.push_back(&transaction);
  return store::Decide(pointers, std::move(reads), kNow);
}

TEST(PostgresBatchIntents, ReadsEachKeyOnceAndNoEmptyOne) {
  bool creating = false;
  const std::vector<Transaction> batch = {PutIntent(Intent(kNow, "r1")),
                                          PutIntent(Intent(kNow, "r1")), AskCreating(&creating),
                                          AskCreating(&creating), Count("s1")};
  std::vector<const Transaction*> pointers;
  for (const Transaction& transaction : batch) pointers.push_back(&transaction);
  const BatchKeys keys = KeysOf(pointers);
  EXPECT_THAT(keys.intents, ElementsAre(IntentKey("PM1", "r1")));
  EXPECT_THAT(keys.ask_creating, ElementsAre("PM1"));
}

TEST(PostgresBatchIntents, ShowsEachTransactionWhatTheEarlierOnesWrote) {
  BatchReads reads;
  reads.last_intent = 7;
  reads.intents[{"PM1", "known"}] = Intent(kNow, "known");
  reads.intents[{"PM1", "known"}].id = 3;
  std::optional<IntentRecord> first, second, known;
  const auto writes = *Decide({PutIntent(Intent(kNow, "r1"), &first),
                               PutIntent(Intent(kNow, "r1", IntentState::kExecuted), &second),
                               PutIntent(Intent(kNow, "known", IntentState::kRejected), &known),
                               PutIntent(Intent(kNow, "r2"))},
                              reads);
  EXPECT_FALSE(first);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->state, IntentState::kUnderWay);
  EXPECT_EQ(second->id, 8);
  ASSERT_TRUE(known);
  EXPECT_EQ(known->id, 3);

  EXPECT_EQ(writes.committed[0].intent->id, 8);
  EXPECT_EQ(writes.committed[1].intent->id, 8);
  EXPECT_EQ(writes.committed[2].intent->id, 3);
  EXPECT_EQ(writes.committed[3].intent->id, 9);
  EXPECT_EQ(writes.last_intent, 9);
  EXPECT_EQ(writes.intents.size(), 3u);
  EXPECT_EQ(writes.intents.at({"PM1", "r1"}).state, IntentState::kExecuted);
}

TEST(PostgresBatchIntents, TellsOfACreateOfItsOwnUntilItIsSettled) {
  bool before = true, during = false, other = true, after = true;
  ASSERT_TRUE(Decide({AskCreating(&before), PutIntent(Intent(kNow, "r1")), AskCreating(&during),
                      AskCreating(&other, "PM"),
                      PutIntent(Intent(kNow, "r1", IntentState::kExecuted)), AskCreating(&after)})
                  .ok());
  EXPECT_FALSE(before);
  EXPECT_TRUE(during);
  EXPECT_FALSE(other);
  EXPECT_FALSE(after);
}

TEST(PostgresBatchIntents, TellsOfACreateThatItReadUntilItIsSettled) {
  BatchReads reads;
  reads.intents[{"PM1", "r1"}] = Intent(kNow, "r1", IntentState::kUnknown);
  bool before = false, after = true, elsewhere = false;
  const std::vector<Transaction> batch = {AskCreating(&before),
                                          PutIntent(Intent(kNow, "r1", IntentState::kExecuted)),
                                          AskCreating(&after)};
  ASSERT_TRUE(Decide(batch, reads).ok());
  EXPECT_TRUE(before);
  EXPECT_FALSE(after);
  reads.creating = {"PM1"};
  ASSERT_TRUE(
      Decide({PutIntent(Intent(kNow, "r1", IntentState::kExecuted)), AskCreating(&elsewhere)},
             reads)
          .ok());
  EXPECT_TRUE(elsewhere);
}

TEST(PostgresBatchIntents, TellsOfNoCreateWhoseTimeIsOverByTheLog) {
  BatchReads reads;
  reads.last_recorded_at = kNow + absl::Minutes(10);  // the clock here is behind
  bool creating = true;
  ASSERT_TRUE(Decide({PutIntent(Intent(kNow, "r1")), AskCreating(&creating)}, reads).ok());
  EXPECT_FALSE(creating);
}

TEST(PostgresBatchIntents, RefusesAnIntentThatWasNotAskedFor) {
  Transaction blind = PutIntent(Intent(kNow, "r1"));
  blind.request_id = "r2";
  EXPECT_TRUE(absl::IsInvalidArgument(Decide({blind}).status()));
}

}  // namespace
}  // namespace ipp::store
