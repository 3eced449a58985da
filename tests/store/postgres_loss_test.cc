#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/store/postgres_bed.h"

// A database that goes back to an earlier state behind replicas that run: what a failover to a
// standby that lagged leaves, or a backup that is restored in place.
namespace ipp::store::contract {
namespace {

class PostgresLoss : public testing::Test {
 protected:
  void Append(Store& store, int count) {
    for (int i = 0; i < count; ++i) {
      ASSERT_TRUE(Commit(store, contract::Append(absl::StrCat("e", ++made_))).ok());
    }
  }
  void GoBackTo(int64_t position) {
    database_.Execute(
        absl::StrCat("BEGIN; DELETE FROM ipp_gateway.events WHERE position > ", position,
                     "; UPDATE ipp_gateway.log SET last_position = ", position, "; COMMIT"));
  }
  static void WaitForEpochs(const Store& store, size_t count) {
    WaitUntil([&] { return store.bounds().epochs.size() >= count; });
  }

  PostgresDatabase database_;
  int made_ = 0;
};

TEST_F(PostgresLoss, IsWrittenDownByTheCommitThatFindsIt) {
  const auto one = database_.Open();
  const auto two = database_.Open();
  Append(*one, 5);
  GoBackTo(3);
  Append(*one, 1);
  EXPECT_EQ(one->bounds().latest, 4);
  ASSERT_EQ(one->bounds().epochs.size(), 2u);
  EXPECT_EQ(one->bounds().epoch().starts_after, 3);
  // In the same transaction: one that reads the event reads the epoch too.
  EXPECT_EQ(database_.Execute("SELECT count(*) FROM ipp_gateway.log_epochs"), "2");
  Append(*one, 2);
  EXPECT_EQ(one->bounds().epochs.size(), 2u);
  WaitForEpochs(*two, 2);
  EXPECT_EQ(two->bounds().epochs, one->bounds().epochs);
  // The other replica has no loss of its own to write down.
  Append(*two, 1);
  EXPECT_EQ(two->bounds().epochs.size(), 2u);
  EXPECT_EQ(two->bounds().latest, 7);
}

TEST_F(PostgresLoss, IsWrittenDownOnceThoughTwoReplicasFindIt) {
  const auto store = database_.Open();
  Append(*store, 5);
  GoBackTo(3);
  // What another replica writes that has found it first.
  database_.Execute("INSERT INTO ipp_gateway.log_epochs VALUES (1, 77, 3)");
  Append(*store, 1);
  WaitForEpochs(*store, 2);
  EXPECT_EQ(store->bounds().epochs.size(), 2u);
  EXPECT_EQ(store->bounds().epoch().label, 77);
  // A later loss is another one, although it goes back to the same place.
  Append(*store, 1);
  GoBackTo(3);
  Append(*store, 1);
  EXPECT_EQ(store->bounds().epochs.size(), 3u);
}

TEST_F(PostgresLoss, IsFoundWithoutACommit) {
  database_.options.poll_interval = absl::Milliseconds(10);
  const auto store = database_.Open();
  Append(*store, 5);
  GoBackTo(2);
  WaitForEpochs(*store, 2);
  EXPECT_EQ(store->bounds().latest, 2);
  EXPECT_EQ(store->bounds().epoch().starts_after, 2);
}

TEST_F(PostgresLoss, OfAnEpochIsFoundAndTellsOnce) {
  database_.options.poll_interval = absl::Milliseconds(10);
  const auto store = database_.Open();
  Append(*store, 5);
  GoBackTo(2);
  WaitForEpochs(*store, 2);
  const LogEpoch lost = store->bounds().epoch();
  // The epoch goes, its events stay: of an even older state that has grown past.
  database_.Execute("DELETE FROM ipp_gateway.log_epochs WHERE sequence > 0");
  WaitUntil([&] { return store->bounds().epoch().sequence > lost.sequence; });
  EXPECT_EQ(store->bounds().epoch().starts_after, 2);
  EXPECT_NE(store->bounds().epoch().label, lost.label);
}

}  // namespace
}  // namespace ipp::store::contract
