#include "server/creates/create_waits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/store/intents.h"
#include "tests/support/altered_store.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_store.h"

namespace ipp::creates {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Counts the questions, and the creates of each.
class CountingStore final : public store::AlteredStore {
 public:
  using AlteredStore::AlteredStore;
  void AreSettled(std::vector<store::IntentKey> creates,
                  store::Done<std::vector<bool>> done) override {
    asked.push_back(creates.size());
    AlteredStore::AreSettled(std::move(creates), std::move(done));
  }
  std::vector<size_t> asked;
};

class CreateWaitsTest : public testing::Test {
 protected:
  // A later tick, and the store's answers.
  void Pass() {
    scheduler_.Advance(CreateWaits::kLookAgain);
    store_.RunAll();
  }
  void Put(const std::string& request_id, store::IntentState state) {
    store_.Commit(
        store::contract::PutIntent(store::contract::Intent(clock_.Now(), request_id, state)),
        [](const absl::StatusOr<store::Committed>& kept) { ASSERT_TRUE(kept.ok()); });
    store_.RunAll();
  }
  std::shared_ptr<CreateWaits::Wait> Wait(const std::string& request_id) {
    return waits_->Start({"PM1", request_id},
                         [this, request_id] { looked_.push_back(request_id); });
  }

  FakeClock clock_;
  FakeScheduler scheduler_{&clock_};
  store::FakeStore store_{&clock_, store::FakeStore::Mode::kManual};
  CountingStore counting_{&store_};
  std::unique_ptr<CreateWaits> waits_ = std::make_unique<CreateWaits>(&counting_, &scheduler_);
  std::vector<std::string> looked_;
};

TEST_F(CreateWaitsTest, LooksAgainOnceWhenTheCreateIsSettled) {
  Put("refused later", store::IntentState::kUnderWay);
  const auto one = Wait("refused later");
  const auto other = Wait("never seen");
  Pass();
  EXPECT_THAT(looked_, IsEmpty());
  Put("refused later", store::IntentState::kRejected);
  Pass();
  Pass();
  EXPECT_THAT(looked_, ElementsAre("refused later"));
  other->Cancel();
}

TEST_F(CreateWaitsTest, AsksForAllOfThemTogether) {
  std::vector<std::shared_ptr<CreateWaits::Wait>> waiting;
  for (int i = 0; i < 2500; ++i) waiting.push_back(Wait(absl::StrCat("r", i)));
  Pass();
  EXPECT_THAT(counting_.asked, ElementsAre(1000u, 1000u, 500u));
  Put("r2400", store::IntentState::kRejected);
  Pass();
  EXPECT_THAT(looked_, ElementsAre("r2400"));
  counting_.asked.clear();
  Pass();
  EXPECT_THAT(counting_.asked, ElementsAre(1000u, 1000u, 499u));
  for (const auto& wait : waiting) wait->Cancel();
}

TEST_F(CreateWaitsTest, AsksNothingWhileNobodyWaits) {
  const auto wait = Wait("r1");
  wait->Cancel();
  EXPECT_THAT(looked_, ElementsAre("r1"));
  wait->Cancel();
  Pass();
  EXPECT_THAT(looked_, ElementsAre("r1"));
  EXPECT_THAT(counting_.asked, IsEmpty());
}

TEST_F(CreateWaitsTest, LetsEachSeeForItselfThatTheStoreCannotBeRead) {
  const auto one = Wait("r1");
  const auto other = Wait("r2");
  store_.FailReads(absl::UnavailableError("the disk is gone"), 1);
  Pass();
  EXPECT_THAT(looked_, ElementsAre("r1", "r2"));
}

// `look` may start the next wait, and cancel another one, inside the call.
TEST_F(CreateWaitsTest, MayBeUsedByWhatItCalls) {
  Put("r1", store::IntentState::kRejected);
  std::shared_ptr<CreateWaits::Wait> second = Wait("r2");
  const auto first = waits_->Start({"PM1", "r1"}, [this, &second] {
    second->Cancel();
    second = Wait("r1");
  });
  Pass();
  EXPECT_THAT(looked_, ElementsAre("r2"));
  Pass();
  EXPECT_THAT(looked_, ElementsAre("r2", "r1"));
}

// The tick waits for the answers of the one before; destruction waits for them too.
TEST_F(CreateWaitsTest, DoesNotAskAgainBeforeTheStoreHasAnswered) {
  const auto wait = Wait("r1");
  scheduler_.Advance(CreateWaits::kLookAgain);
  scheduler_.Advance(10 * CreateWaits::kLookAgain);
  EXPECT_THAT(counting_.asked, ElementsAre(1u));
  store_.RunAll();
  Pass();
  EXPECT_THAT(counting_.asked, ElementsAre(1u, 1u));
  wait->Cancel();
}

}  // namespace
}  // namespace ipp::creates
