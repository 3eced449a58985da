#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/store/store_contract.h"

// Breaks in the history of the log, for every store.
namespace ipp::store::contract {
namespace {

struct Row {
  const char* name;
  std::unique_ptr<StoreBed> (*make)();
};

class EpochContract : public testing::TestWithParam<Row> {
 protected:
  absl::StatusOr<LogBounds> Begin(NewEpoch epoch = {}) {
    return Await<LogBounds>(
        [&](Done<LogBounds> done) { store_->BeginEpoch(epoch, std::move(done)); });
  }
  void Append(int count) {
    for (int i = 0; i < count; ++i) {
      ASSERT_TRUE(Commit(*store_, contract::Append(absl::StrCat("e", ++made_))).ok());
    }
  }
  void Reopen() {
    store_ = nullptr;
    store_ = bed_->Open(100);
  }

  const std::unique_ptr<StoreBed> bed_ = GetParam().make();
  std::unique_ptr<Store> store_ = bed_->Open(100);
  int made_ = 0;
};

TEST_P(EpochContract, BeginsWithOneEpoch) {
  EXPECT_EQ(store_->bounds().epoch(), LogEpoch());
  EXPECT_LE(store_->bounds().creates_held_until, bed_->clock.Now());
}

TEST_P(EpochContract, BeginsOneAtTheEndOfTheLogAndKeepsIt) {
  Append(3);
  const auto begun = Begin();
  ASSERT_TRUE(begun.ok()) << begun.status();
  EXPECT_EQ(begun->latest, 3);
  ASSERT_EQ(begun->epochs.size(), 2u);
  EXPECT_EQ(begun->epoch().sequence, 1);
  EXPECT_EQ(begun->epoch().starts_after, 3);
  EXPECT_NE(begun->epoch().label, 0);
  EXPECT_EQ(store_->bounds().epochs, begun->epochs);
  Append(1);
  Reopen();
  EXPECT_EQ(store_->bounds().epochs, begun->epochs);
  EXPECT_EQ(store_->bounds().latest, 4);
}

TEST_P(EpochContract, BeginsOneWhereItIsToldButNotBeyondTheEnd) {
  Append(5);
  EXPECT_EQ(Begin({.starts_after = 2})->epoch().starts_after, 2);
  EXPECT_EQ(Begin({.starts_after = 99})->epoch().starts_after, 5);
  EXPECT_EQ(Begin({.starts_after = 1, .after_sequence = 7})->epoch().sequence, 8);
  const LogBounds bounds = store_->bounds();
  EXPECT_EQ(SharedThrough(bounds, 0), 1);
  EXPECT_EQ(SharedThrough(bounds, bounds.epochs[2].label), 1);
  EXPECT_GT(SharedThrough(bounds, bounds.epoch().label), 5);
}

TEST_P(EpochContract, KeepsTheNewestOfThem) {
  for (size_t i = 0; i < 5; ++i) ASSERT_TRUE(Begin().ok());
  EXPECT_EQ(store_->bounds().epochs.size(), 6u);
  std::set<uint16_t> labels;
  for (const LogEpoch& epoch : store_->bounds().epochs) labels.insert(epoch.label);
  EXPECT_EQ(labels.size(), 6u);
}

TEST_P(EpochContract, HoldsCreatesAndMakesOpenSessionsDue) {
  SessionRecord open = Record("s1"), never = Record("s2"), ended = Record("s3");
  open.next_check_at = bed_->clock.Now() + absl::Hours(1);
  ended.open = false;
  for (const SessionRecord& record : {open, never, ended}) {
    ASSERT_TRUE(Commit(*store_, Put(record)).ok());
  }
  const absl::Time until = bed_->clock.Now() + absl::Minutes(10);
  ASSERT_TRUE(Begin({.hold_creates_until = until, .sessions_due = bed_->clock.Now()}).ok());
  EXPECT_EQ(store_->bounds().creates_held_until, until);
  const auto due = LeaseDue(
      *store_,
      {.now = bed_->clock.Now(), .limit = 10, .pause = [](const auto&) { return absl::Hours(1); }});
  ASSERT_TRUE(due.ok());
  EXPECT_EQ(due->size(), 2u);
  Reopen();
  EXPECT_EQ(store_->bounds().creates_held_until, until);
  // An epoch of another reason leaves it.
  ASSERT_TRUE(Begin().ok());
  EXPECT_EQ(store_->bounds().creates_held_until, until);
}

TEST_P(EpochContract, TellsTheListener) {
  Append(2);
  std::promise<int64_t> told;
  std::atomic<bool> first{true};
  store_->SetListener([&](int64_t latest, const std::vector<StoredEvent>&) {
    if (first.exchange(false)) told.set_value(latest);
  });
  ASSERT_TRUE(Begin({.starts_after = 1}).ok());
  EXPECT_EQ(told.get_future().get(), 2);
  store_->SetListener(nullptr);
}

INSTANTIATE_TEST_SUITE_P(Stores, EpochContract,
                         testing::Values(Row{"Fake", &MakeFakeBed}, Row{"Sqlite", &MakeSqliteBed},
                                         Row{"Postgres", &MakePostgresBed}),
                         [](const auto& info) { return info.param.name; });

TEST(LogBounds, FindsWhatWasLost) {
  const LogEpoch first, second{1, 500, 60}, other{1, 501, 30}, later{2, 502, 40};
  struct Case {
    LogBounds known, now;
    std::optional<int64_t> after;
  };
  const Case cases[] = {
      {{1, 10}, {1, 10}, std::nullopt},
      {{1, 10}, {1, 20}, std::nullopt},
      {{1, 10}, {1, 7}, 7},
      {{1, 100, {first, second}}, {1, 100, {first, second}}, std::nullopt},
      // The epoch went with the events; the log has grown since.
      {{1, 100, {first, second}}, {1, 120, {first}}, 60},
      {{1, 100, {first, second}}, {1, 50, {first}}, 50},
      {{1, 100, {first, second}}, {1, 120, {first, other}}, 60},
      // Another replica has found it.
      {{1, 100, {first}}, {1, 95, {first, second}}, std::nullopt},
      {{1, 100, {first}}, {1, 50, {first, second}}, 50},
      {{1, 100, {first, second}}, {1, 120, {first, other, later}}, std::nullopt},
      // Given up, not lost.
      {{1, 100, {first, second}}, {1, 120, {second, later}}, std::nullopt},
  };
  for (const Case& c : cases) EXPECT_EQ(LostAfter(c.known, c.now), c.after);
}

TEST(LogBounds, ReadsEpochsOrSaysThatItCannot) {
  const auto epochs = ParseEpochs("0:0:0,3:65535:4711");
  ASSERT_TRUE(epochs.ok());
  EXPECT_THAT(*epochs, testing::ElementsAre(LogEpoch{}, LogEpoch{3, 65535, 4711}));
  for (const char* text : {"", "0", "0:0", "0:65536:1", "0:-1:1", "a:0:0", "0:0:0,", "0:0:0:0"}) {
    EXPECT_FALSE(ParseEpochs(text).ok()) << text;
  }
}

}  // namespace
}  // namespace ipp::store::contract
