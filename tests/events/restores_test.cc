#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/error.h"
#include "tests/events/hub_bed.h"

// What becomes of cursors when the log is restored from backups: random histories of appends,
// backups, restores, restarts and subscribers that come and go.
namespace ipp::events {
namespace {

using fixtures::Everything;
using fixtures::NextOf;

// A subscriber, with all that it was ever given: what it knows must be the log's own history up to
// where it goes on, or it must hear that it is not.
struct Client {
  std::string cursor;             // of its last event, heartbeat or start
  std::vector<std::string> seen;  // payloads of the events up to there, from the first on
};

enum class Restored { kWithFlag, kWithout };

class Restores : public testing::TestWithParam<std::tuple<int, Restored>> {
 protected:
  void SetUp() override { Start(); }

  void Start() {
    store_ = std::make_unique<store::FakeStore>(&clock_, store::FakeStore::Mode::kThread, disk_);
    hub_ = std::make_unique<EventHub>(store_.get(), HubOptions{.tail_events = 4, .page_events = 3},
                                      &metrics_);
  }
  void Stop() {
    hub_ = nullptr;
    store_ = nullptr;
  }
  int Dice(int sides) { return static_cast<int>(dice_() % static_cast<unsigned>(sides)); }

  void Append() {
    const std::string id = absl::StrCat("event-", ++made_);
    ASSERT_TRUE(store::contract::Commit(*store_, store::contract::Append(id)).ok());
    history_.push_back(
        store::contract::Read(*store_, static_cast<int64_t>(history_.size()))->front().payload);
  }

  void Backup() { backups_.push_back({store_->Copy(), history_}); }

  void Restore() {
    if (backups_.empty()) return;
    const auto& [disk, history] =
        backups_[static_cast<size_t>(Dice(static_cast<int>(backups_.size())))];
    Stop();
    disk_ = std::make_shared<store::FakeDisk>(disk);
    history_ = history;
    Start();
    if (std::get<1>(GetParam()) == Restored::kWithFlag) {
      hub_ = nullptr;
      ASSERT_TRUE(store::contract::Await<store::LogBounds>([&](auto done) {
                    store_->BeginEpoch({}, std::move(done));
                  }).ok());
      hub_ = std::make_unique<EventHub>(store_.get(),
                                        HubOptions{.tail_events = 4, .page_events = 3}, &metrics_);
    }
  }

  // As SubscribeStream does it.
  void Resume(Client* client) {
    const absl::StatusOr<LogPlace> place =
        ParseCursor(client->cursor, store_->log_id(), "after_cursor");
    ASSERT_TRUE(place.ok()) << place.status();
    std::promise<absl::Status> checked;
    CheckPlaceInLog(store_.get(), *place, "after_cursor",
                    [&](absl::Status status) { checked.set_value(std::move(status)); });
    const absl::Status status = checked.get_future().get();
    if (!status.ok()) {
      EXPECT_EQ(GetErrorDetail(status).reason, "CURSOR_FOREIGN") << status;
      ++foreign_;
      // It begins anew.
      client->seen.clear();
      client->cursor = EncodeCursor(store_->log_id(), {0, store_->bounds().epoch().label});
      return;
    }
    ++resumed_;
    // The whole claim.
    const std::vector<std::string> known(
        history_.begin(), history_.begin() + static_cast<std::ptrdiff_t>(place->position));
    ASSERT_EQ(client->seen, known) << "events were skipped or repeated in silence";
    auto subscription = hub_->Subscribe(Everything(), *place);
    const auto rest = static_cast<int>(history_.size() - known.size());
    const int take = rest == 0 ? 0 : Dice(rest + 1);
    for (int i = 0; i < take; ++i) {
      const absl::StatusOr<EventPtr> event = NextOf(*subscription);
      ASSERT_TRUE(event.ok()) << event.status();
      client->cursor = (*event)->Parse().cursor();
      client->seen.push_back(history_[client->seen.size()]);
      EXPECT_EQ((*event)->row.position, static_cast<int64_t>(client->seen.size()));
    }
    // A heartbeat.
    if (Dice(2) == 0) client->cursor = EncodeCursor(store_->log_id(), subscription->place());
  }

  store::FakeDisk BackupOf(size_t i) { return backups_[i].first; }

  std::mt19937 dice_{static_cast<unsigned>(std::get<0>(GetParam()))};
  FakeClock clock_;
  Metrics metrics_;
  std::shared_ptr<store::FakeDisk> disk_ = std::make_shared<store::FakeDisk>();
  std::unique_ptr<store::FakeStore> store_;
  std::unique_ptr<EventHub> hub_;
  int made_ = 0;
  int foreign_ = 0;
  int resumed_ = 0;
  std::vector<std::string> history_;  // payloads of the log as it is
  std::vector<std::pair<store::FakeDisk, std::vector<std::string>>> backups_;
};

TEST_P(Restores, NeverMakeAResumptionSkipOrRepeatInSilence) {
  std::vector<Client> clients(4);
  for (Client& client : clients) client.cursor = EncodeCursor(store_->log_id(), {});
  for (int step = 0; step < 400 && !HasFatalFailure(); ++step) {
    switch (Dice(10)) {
      case 0:
        Backup();
        break;
      case 1:
        Restore();
        break;
      case 2:
      case 3:
      case 4:
        Append();
        break;
      default:
        Resume(&clients[static_cast<size_t>(Dice(4))]);
    }
  }
  // Both happened, or the test says nothing.
  EXPECT_GT(foreign_, 0);
  EXPECT_GT(resumed_, 20);
}

INSTANTIATE_TEST_SUITE_P(Seeds, Restores,
                         testing::Combine(testing::Range(1, 21),
                                          testing::Values(Restored::kWithFlag, Restored::kWithout)),
                         [](const auto& info) {
                           return absl::StrCat(std::get<0>(info.param),
                                               std::get<1>(info.param) == Restored::kWithFlag
                                                   ? "WithFlag"
                                                   : "Without");
                         });

}  // namespace
}  // namespace ipp::events
