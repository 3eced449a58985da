#include "server/sessions/session_owner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/sessions/session_recorder.h"
#include "tests/sessions/session_news.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_store.h"

namespace ipp::sessions {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr char kUnknown[] = "99999999-9999-4999-8999-999999999999";

class SessionOwnerTest : public testing::Test {
 protected:
  absl::StatusOr<std::string> Find(std::vector<std::string> merchants, std::string session_id) {
    std::optional<absl::StatusOr<std::string>> found;
    owner_->Find(std::move(merchants), std::move(session_id),
                 [&found](absl::StatusOr<std::string> owner) { found = std::move(owner); });
    store_.RunAll();
    EXPECT_TRUE(found.has_value());
    return found.value_or(absl::InternalError("not answered"));
  }

  FakeClock clock_;
  Metrics metrics_;
  store::FakeStore store_{&clock_, store::FakeStore::Mode::kManual};
  std::map<std::string, absl::Status> upstream_;  // by merchant; absent: NOT_FOUND
  std::vector<std::string> reads_;
  std::unique_ptr<SessionOwner> owner_ = std::make_unique<SessionOwner>(
      &store_, [this](const std::string& merchant_id, const std::string& session_id,
                      const TraceContext&, auto done) {
        reads_.push_back(merchant_id);
        const auto known = upstream_.find(merchant_id);
        if (known == upstream_.end()) return std::move(done)(absl::NotFoundError("404"));
        if (!known->second.ok()) return std::move(done)(known->second);
        kustom::ipp::v1::Session session;
        session.set_session_id(session_id);
        std::move(done)(SessionAnswer(std::move(session)));
      });
};

TEST_F(SessionOwnerTest, TheStoreKnowsWithoutARead) {
  SessionRecorder recorder(&store_, &metrics_);
  SessionUpdate news;
  news.source = kustom::ipp::v1::SESSION_EVENT_SOURCE_WEBHOOK;
  news.merchant_id = "PM2";
  news.session_id = kUnknown;
  news.event_id = "kevt_1";
  news.upstream_type = "ipp.session.created";
  news.type = kustom::ipp::v1::SESSION_EVENT_TYPE_CREATED;
  news.heard_at = news.occurred_at = clock_.Now();
  recorder.Record(news, [](absl::StatusOr<Recorded>) {});
  store_.RunAll();
  EXPECT_EQ(Find({"PM1", "PM2", "PM3"}, kUnknown).value(), "PM2");
  EXPECT_THAT(reads_, IsEmpty());
}

TEST_F(SessionOwnerTest, ThenTheUpstreamIsAskedInTurn) {
  upstream_["PM2"] = absl::OkStatus();
  EXPECT_EQ(Find({"PM1", "PM2", "PM3"}, kUnknown).value(), "PM2");
  EXPECT_THAT(reads_, ElementsAre("PM1", "PM2"));
}

TEST_F(SessionOwnerTest, NobodyHasIt) {
  EXPECT_TRUE(absl::IsNotFound(Find({"PM1", "PM2"}, kUnknown).status()));
  EXPECT_TRUE(absl::IsNotFound(Find({}, kUnknown).status()));
}

TEST_F(SessionOwnerTest, AMerchantThatCannotBeAskedLeavesItOpen) {
  upstream_["PM1"] = absl::UnavailableError("no answer");
  EXPECT_TRUE(absl::IsUnavailable(Find({"PM1", "PM2"}, kUnknown).status()));
  upstream_["PM2"] = absl::OkStatus();
  EXPECT_EQ(Find({"PM1", "PM2"}, kUnknown).value(), "PM2");
}

TEST_F(SessionOwnerTest, AStoreThatFailsIsNotTakenForNo) {
  store_.FailReads(absl::UnavailableError("no store"));
  EXPECT_TRUE(absl::IsUnavailable(Find({"PM1"}, kUnknown).status()));
  EXPECT_THAT(reads_, IsEmpty());
}

TEST_F(SessionOwnerTest, ReadsAreBounded) {
  std::vector<std::string> many;
  for (int i = 0; i < 100; ++i) many.push_back(absl::StrCat("PM", i));
  EXPECT_TRUE(absl::IsNotFound(Find(many, kUnknown).status()));
  EXPECT_THAT(reads_, SizeIs(SessionOwner::kMostReads));
}

TEST_F(SessionOwnerTest, ItsEndWaitsForASearch) {
  bool found = false;
  owner_->Find({"PM1"}, kUnknown, [&found](auto) { found = true; });
  std::thread end([this] { owner_.reset(); });
  store_.RunAll();
  end.join();
  EXPECT_TRUE(found);
}

}  // namespace
}  // namespace ipp::sessions
