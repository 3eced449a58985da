#include <algorithm>
#include <map>
#include <random>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "server/store/keepable.h"
#include "tests/store/store_contract.h"

// The search for sessions, the events of one session, and the cancels that were asked for.
namespace ipp::store {
namespace {

using namespace contract;  // NOLINT: the words of these tests
using kustom::ipp::v1::SessionStatus;
using testing::ElementsAre;
using testing::IsEmpty;

class SearchContract : public testing::TestWithParam<std::unique_ptr<StoreBed> (*)()> {
 protected:
  absl::StatusOr<SessionPage> Page(SessionQuery query) {
    return Await<SessionPage>(
        [&](Done<SessionPage> done) { store_->SearchSessions(std::move(query), std::move(done)); });
  }
  // All pages of the search, as "merchant/session".
  std::vector<std::string> Search(SessionQuery query) {
    std::vector<std::string> found;
    do {
      const auto page = Page(query);
      EXPECT_TRUE(page.ok()) << page.status();
      EXPECT_FALSE(page->indexing);
      EXPECT_LE(page->sessions.size(), static_cast<size_t>(query.limit));
      for (const SessionRecord& record : page->sessions) found.push_back(Name(record));
      query.after = page->next;
    } while (query.after);
    return found;
  }
  static std::string Name(const SessionRecord& record) {
    return absl::StrCat(record.merchant_id, "/", record.session.session_id());
  }
  void Keep(const SessionRecord& record) {
    const auto committed = Commit(*store_, Put(record));
    ASSERT_TRUE(committed.ok()) << committed.status();
    kept_[Name(record)] = *committed->session;
  }
  SessionRecord At(const std::string& session_id, absl::Duration later) {
    SessionRecord record = Record(session_id);
    record.created_at = record.updated_at = bed_->clock.Now() + later;
    return record;
  }

  std::vector<StoredEvent> EventsOf(const std::string& session_id, int64_t after, int limit) {
    const auto events = Await<std::vector<StoredEvent>>([&](Done<std::vector<StoredEvent>> done) {
      store_->ReadSessionEvents("PM1", session_id, after, limit, std::move(done));
    });
    EXPECT_TRUE(events.ok()) << events.status();
    return *events;
  }
  std::vector<std::string> Cancels(const std::string& session_id, int limit = 100) {
    const auto cancels = Await<std::vector<AskedCancel>>([&](Done<std::vector<AskedCancel>> done) {
      store_->ListCancels("PM1", session_id, limit, std::move(done));
    });
    EXPECT_TRUE(cancels.ok()) << cancels.status();
    std::vector<std::string> callers;
    for (const AskedCancel& cancel : *cancels) {
      callers.push_back(absl::StrCat(cancel.caller, " ", cancel.traceparent, " ",
                                     absl::ToInt64Seconds(cancel.asked_at - bed_->clock.Now())));
    }
    return callers;
  }
  void AskCancel(const std::string& session_id, const std::string& caller, int later) {
    Transaction transaction;
    transaction.decide = [=, this](const Snapshot&) {
      Writes writes;
      writes.cancel = AskedCancel{.merchant_id = "PM1",
                                  .session_id = session_id,
                                  .caller = caller,
                                  .traceparent = "00-t",
                                  .asked_at = bed_->clock.Now() + absl::Seconds(later)};
      return writes;
    };
    ASSERT_TRUE(Commit(*store_, std::move(transaction)).ok());
  }

  const std::unique_ptr<StoreBed> bed_ = GetParam()();
  std::unique_ptr<Store> store_ = bed_->Open(10000);
  std::map<std::string, SessionRecord> kept_;
};

INSTANTIATE_TEST_SUITE_P(Fake, SearchContract, testing::Values(&MakeFakeBed));
INSTANTIATE_TEST_SUITE_P(Sqlite, SearchContract, testing::Values(&MakeSqliteBed));
INSTANTIATE_TEST_SUITE_P(Postgres, SearchContract, testing::Values(&MakePostgresBed));
INSTANTIATE_TEST_SUITE_P(NewerSqlite, SearchContract, testing::Values(&MakeNewerSqliteBed));
INSTANTIATE_TEST_SUITE_P(NewerPostgres, SearchContract, testing::Values(&MakeNewerPostgresBed));

TEST_P(SearchContract, FindsNothingInAnEmptyStore) {
  EXPECT_THAT(Search({.merchant_ids = {"PM1"}}), IsEmpty());
  EXPECT_THAT(Search({.merchant_ids = {}}), IsEmpty());
}

TEST_P(SearchContract, ListsTheNewestFirstAndEachOnce) {
  for (int i = 0; i < 5; ++i) Keep(At(absl::StrCat("s", i), absl::Seconds(i / 2)));
  for (const int limit : {1, 2, 3, 5, 6}) {
    EXPECT_THAT(Search({.merchant_ids = {"PM1"}, .limit = limit}),
                ElementsAre("PM1/s4", "PM1/s3", "PM1/s2", "PM1/s1", "PM1/s0"));
    EXPECT_THAT(Search({.merchant_ids = {"PM1", "PM1", "PM9"}, .limit = limit}),
                ElementsAre("PM1/s4", "PM1/s3", "PM1/s2", "PM1/s1", "PM1/s0"));
  }
}

TEST_P(SearchContract, KeepsTheLocationAndForgetsWhatASessionNoLongerHas) {
  SessionRecord record = At("s1", absl::ZeroDuration());
  record.location_id = "l1";
  record.session.set_merchant_reference1("4711");
  Keep(record);
  EXPECT_THAT(Search({.merchant_ids = {"PM1"}, .location_id = "l1"}), ElementsAre("PM1/s1"));
  EXPECT_EQ(Find(*store_, "s1")->location_id, "l1");
  record.session.set_merchant_reference1("4712");
  Keep(record);
  EXPECT_THAT(Search({.merchant_ids = {"PM1"}, .merchant_reference1 = "4711"}), IsEmpty());
  EXPECT_THAT(Search({.merchant_ids = {"PM1"}, .merchant_reference1 = "4712"}),
              ElementsAre("PM1/s1"));
}

// References have no limit of their own, indexes have one.
TEST_P(SearchContract, FindsReferencesOfAnyLength) {
  const std::string text(100'000, 'r');
  for (const char* end : {"a", "b"}) {
    SessionRecord record = At(absl::StrCat("s-", end), absl::ZeroDuration());
    record.session.set_merchant_reference1(absl::StrCat(text, end));
    record.session.set_merchant_reference2(absl::StrCat(text, end));
    record.session.set_order_id(absl::StrCat(text, end));
    record.session.set_device_id(absl::StrCat(text, end));
    record.location_id = std::string(200, 'l');
    Keep(record);
  }
  EXPECT_THAT(Search({.merchant_ids = {"PM1"}, .merchant_reference1 = text + "a"}),
              ElementsAre("PM1/s-a"));
  EXPECT_THAT(Search({.merchant_ids = {"PM1"}, .merchant_reference2 = text + "b"}),
              ElementsAre("PM1/s-b"));
  EXPECT_THAT(Search({.merchant_ids = {"PM1"}, .order_id = text + "b", .limit = 1}),
              ElementsAre("PM1/s-b"));
  EXPECT_THAT(Search({.merchant_ids = {"PM1"}, .device_id = text + "a", .limit = 1}),
              ElementsAre("PM1/s-a"));
}

TEST_P(SearchContract, TakesTimesBeyondWhatIsKept) {
  Keep(At("s1", absl::ZeroDuration()));
  const absl::Time early = absl::FromCivil(absl::CivilYear(1), absl::UTCTimeZone());
  const absl::Time late = absl::FromCivil(absl::CivilYear(9999), absl::UTCTimeZone());
  EXPECT_THAT(Search({.merchant_ids = {"PM1"}, .created_from = early, .created_before = late}),
              ElementsAre("PM1/s1"));
  EXPECT_THAT(Search({.merchant_ids = {"PM1"}, .updated_from = late}), IsEmpty());
  EXPECT_THAT(Search({.merchant_ids = {"PM1"}, .updated_before = early}), IsEmpty());
}

// Against a model that looks at every session.
TEST_P(SearchContract, FindsWhatAModelFinds) {
  std::mt19937 random(7);
  const auto pick = [&](const std::string& prefix, int of) {
    const int n = static_cast<int>(random() % static_cast<unsigned>(of + 1));
    return n == 0 ? std::string() : absl::StrCat(prefix, n);
  };
  const absl::Time now = bed_->clock.Now();
  const auto time = [&] { return now + absl::Seconds(random() % 20); };
  for (int i = 0; i < 150; ++i) {
    const int number = static_cast<int>(random() % 90);
    SessionRecord record = Record(absl::StrCat("s", number));
    record.merchant_id = absl::StrCat("PM", 1 + number % 3);
    const auto known = kept_.find(Name(record));
    record.created_at = known == kept_.end() ? time() : known->second.created_at;
    record.updated_at = std::max(record.created_at, time());
    if (random() % 2 == 0) record.request_id = absl::StrCat("r", number);
    record.location_id = pick("l", 2);
    record.session.set_status(static_cast<SessionStatus>(random() % 7));
    record.session.set_device_id(pick("d", 3));
    record.session.set_merchant_reference1(pick("a", 4));
    record.session.set_merchant_reference2(pick("b", 3));
    record.session.set_order_id(pick("o", 20));
    Keep(record);
  }
  const auto sometimes = [&](unsigned one_in) { return random() % one_in == 0; };
  for (int i = 0; i < 120; ++i) {
    SessionQuery query{.merchant_ids = {"PM3", "PM1"}};
    if (sometimes(3)) query.merchant_ids.push_back("PM2");
    while (sometimes(2)) query.statuses.push_back(static_cast<SessionStatus>(random() % 7));
    if (sometimes(4)) query.device_id = pick("d", 3);
    if (sometimes(6)) query.location_id = pick("l", 2);
    if (sometimes(6)) query.merchant_reference1 = pick("a", 4);
    if (sometimes(6)) query.merchant_reference2 = pick("b", 3);
    if (sometimes(8)) query.order_id = pick("o", 20);
    if (sometimes(12)) query.request_id = absl::StrCat("r", random() % 90);
    if (sometimes(4)) query.created_from = time();
    if (sometimes(4)) query.created_before = time();
    if (sometimes(4)) query.updated_from = time();
    if (sometimes(4)) query.updated_before = time();
    query.limit = 1 + static_cast<int>(random() % 30);
    const bool by_update = PathOf(query) == SearchPath::kUpdated;
    std::vector<std::tuple<absl::Time, std::string, std::string>> wanted;
    for (const auto& [name, record] : kept_) {
      if (!Matches(query, record)) continue;
      wanted.emplace_back(by_update ? record.updated_at : record.created_at, record.merchant_id,
                          record.session.session_id());
    }
    std::sort(wanted.rbegin(), wanted.rend());
    std::vector<std::string> names;
    for (const auto& [at, merchant, session] : wanted) {
      names.push_back(absl::StrCat(merchant, "/", session));
    }
    EXPECT_EQ(Search(query), names) << i << ": path " << static_cast<int>(PathOf(query));
  }
}

// Each condition by itself: the model above uses Matches().
TEST(SessionQuery, MatchesBySingleConditions) {
  SessionRecord record = Record("s1", "r1");
  record.location_id = "l1";
  record.created_at = absl::FromUnixSeconds(100);
  record.updated_at = absl::FromUnixSeconds(200);
  record.session.set_device_id("d1");
  record.session.set_merchant_reference1("a1");
  record.session.set_merchant_reference2("b1");
  record.session.set_order_id("o1");
  const auto matches = [&](SessionQuery query) {
    query.merchant_ids.push_back("PM1");
    return Matches(query, record);
  };
  const auto at = [](int seconds) { return absl::FromUnixSeconds(seconds); };
  EXPECT_FALSE(Matches({.merchant_ids = {}}, record));
  EXPECT_FALSE(Matches({.merchant_ids = {"PM2"}}, record));
  EXPECT_TRUE(matches({}));
  EXPECT_TRUE(matches({.statuses = {kustom::ipp::v1::SESSION_STATUS_CREATED}}));
  EXPECT_FALSE(matches({.statuses = {kustom::ipp::v1::SESSION_STATUS_ACTIVE}}));
  EXPECT_TRUE(matches({.device_id = "d1"}));
  EXPECT_FALSE(matches({.device_id = "d"}));
  EXPECT_TRUE(matches({.location_id = "l1"}));
  EXPECT_FALSE(matches({.location_id = "l2"}));
  EXPECT_TRUE(matches({.merchant_reference1 = "a1"}));
  EXPECT_FALSE(matches({.merchant_reference1 = "b1"}));
  EXPECT_TRUE(matches({.merchant_reference2 = "b1"}));
  EXPECT_FALSE(matches({.merchant_reference2 = "a1"}));
  EXPECT_TRUE(matches({.order_id = "o1"}));
  EXPECT_FALSE(matches({.order_id = "o2"}));
  EXPECT_TRUE(matches({.request_id = "r1"}));
  EXPECT_FALSE(matches({.request_id = "r2"}));
  EXPECT_TRUE(matches({.created_from = at(100), .created_before = at(101)}));
  EXPECT_FALSE(matches({.created_from = at(101)}));
  EXPECT_FALSE(matches({.created_before = at(100)}));
  EXPECT_TRUE(matches({.updated_from = at(200), .updated_before = at(201)}));
  EXPECT_FALSE(matches({.updated_from = at(201)}));
  EXPECT_FALSE(matches({.updated_before = at(200)}));
}

// ---- Of one session. ----

TEST_P(SearchContract, ReadsTheEventsOfOneSessionInOrder) {
  for (int i = 0; i < 6; ++i) {
    for (const char* session : {"s1", "s2"}) {
      ASSERT_TRUE(Commit(*store_, Count(session)).ok());
    }
  }
  EXPECT_THAT(Ids(EventsOf("s1", 0, 3)), ElementsAre("s1#1", "s1#2", "s1#3"));
  EXPECT_THAT(Ids(EventsOf("s1", 5, 100)), ElementsAre("s1#4", "s1#5", "s1#6"));
  EXPECT_EQ(EventsOf("s2", 0, 1)[0].position, 2);
  EXPECT_THAT(EventsOf("s1", 12, 3), IsEmpty());
  EXPECT_THAT(EventsOf("s3", 0, 3), IsEmpty());
}

TEST_P(SearchContract, KeepsTheCancelsThatWereAskedFor) {
  EXPECT_THAT(Cancels("s1"), IsEmpty());
  AskCancel("s1", "till", 2);
  AskCancel("s2", "till", 3);
  AskCancel("s1", "office", 4);
  EXPECT_THAT(Cancels("s1"), ElementsAre("till 00-t 2", "office 00-t 4"));
  EXPECT_THAT(Cancels("s1", 1), ElementsAre("till 00-t 2"));
  store_.reset();
  store_ = bed_->Open(10000);
  EXPECT_THAT(Cancels("s2"), ElementsAre("till 00-t 3"));
}

TEST_P(SearchContract, RefusesACancelThatCannotBeKept) {
  Transaction transaction;
  transaction.decide = [](const Snapshot&) {
    Writes writes;
    writes.cancel = AskedCancel{.merchant_id = "PM1",
                                .session_id = "s1",
                                .caller = std::string(kMaxIdBytes + 1, 'x'),
                                .traceparent = "",
                                .asked_at = absl::UnixEpoch()};
    return writes;
  };
  EXPECT_TRUE(absl::IsInvalidArgument(Commit(*store_, std::move(transaction)).status()));
}

}  // namespace
}  // namespace ipp::store
