#include "server/store/sqlite/backup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "absl/strings/str_cat.h"
#include "server/store/sqlite/database.h"
#include "server/store/sqlite/store.h"
#include "tests/store/store_contract.h"

namespace ipp::store::contract {
namespace {

using testing::HasSubstr;

mode_t ModeOf(const std::string& file) {
  struct stat status {};
  EXPECT_EQ(stat(file.c_str(), &status), 0) << file;
  return status.st_mode & 0777;
}

class SqliteBackup : public testing::Test {
 protected:
  ~SqliteBackup() override { umask(umask_); }
  std::unique_ptr<Store> Open(const std::string& path) {
    auto store = OpenSqliteStore({.path = path}, &clock_, &metrics_);
    EXPECT_TRUE(store.ok()) << store.status();
    return *std::move(store);
  }
  // Nothing but these is in the directory.
  std::set<std::string> Files() {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(directory_.File(""))) {
      names.insert(entry.path().filename());
    }
    return names;
  }

  const mode_t umask_ = umask(0);  // lets others in, unless the store takes care
  const TempDirectory directory_;
  const std::string path_ = directory_.File("gateway.db");
  const std::string copy_ = directory_.File("copy #1?%.db");
  FakeClock clock_;
  Metrics metrics_;
};

TEST_F(SqliteBackup, IsOneStateOfAStoreThatIsWrittenTo) {
  std::unique_ptr<Store> store = Open(path_);
  std::atomic<bool> stop{false};
  // Each transaction moves a session on and appends its event: in a whole copy they agree.
  std::thread writer([&] {
    while (!stop) ASSERT_TRUE(Commit(*store, Count("s1")).ok());
  });
  for (int i = 0; i < 5; ++i) {
    const std::string copy = absl::StrCat(copy_, i);
    const absl::Status status = BackUpSqlite(path_, copy);
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_EQ(ModeOf(copy), 0600u);
    std::unique_ptr<Store> restored = Open(copy);
    EXPECT_EQ(restored->log_id(), store->log_id());
    const int64_t latest = restored->bounds().latest;
    const auto session = Find(*restored, "s1");
    EXPECT_EQ(session.ok() ? session->checks : 0, latest);
    EXPECT_EQ(static_cast<int64_t>(Read(*restored, 0, 1000000)->size()),
              std::min<int64_t>(latest, 10000000));
    // And it can be written to.
    EXPECT_TRUE(Commit(*restored, Count("s1")).ok());
  }
  stop = true;
  writer.join();
}

TEST_F(SqliteBackup, IsMadeOfAStoreThatNoGatewayRunsOn) {
  { ASSERT_TRUE(Commit(*Open(path_), contract::Append("e1")).ok()); }
  ASSERT_TRUE(BackUpSqlite(path_, copy_).ok());
  EXPECT_EQ(Open(copy_)->bounds().latest, 1);
}

TEST_F(SqliteBackup, DoesNotOverwrite) {
  Open(path_);
  std::ofstream(copy_) << "precious";
  const absl::Status status = BackUpSqlite(path_, copy_);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("is there already"));
  std::ifstream in(copy_);
  std::string text;
  in >> text;
  EXPECT_EQ(text, "precious");
}

TEST_F(SqliteBackup, LeavesNothingBehindWhenItFails) {
  EXPECT_FALSE(BackUpSqlite(path_, copy_).ok());
  EXPECT_EQ(Files(), std::set<std::string>());
  std::ofstream(path_) << "no database, but long enough to be looked at as if it were one";
  EXPECT_FALSE(BackUpSqlite(path_, copy_).ok());
  EXPECT_EQ(Files(), std::set<std::string>({"gateway.db"}));
  std::filesystem::remove(path_);
  ASSERT_TRUE((*SqliteDatabase::Open(path_))->Execute("CREATE TABLE t (x)").ok());
  const absl::Status status = BackUpSqlite(path_, copy_);
  EXPECT_THAT(std::string(status.message()), HasSubstr("not the store of a gateway"));
  EXPECT_EQ(Files(), std::set<std::string>({"gateway.db"}));
  EXPECT_FALSE(BackUpSqlite(path_, directory_.File("none/copy.db")).ok());
}

TEST_F(SqliteBackup, FilesOfAStoreAreForTheirOwnerAlone) {
  std::unique_ptr<Store> store = Open(path_);
  ASSERT_TRUE(Commit(*store, contract::Append("e1")).ok());
  for (const char* suffix : {"", "-wal", "-shm", ".lock"}) {
    EXPECT_EQ(ModeOf(path_ + suffix), 0600u) << suffix;
  }
}

TEST_F(SqliteBackup, FilesOfAnEarlierReleaseAreNarrowed) {
  std::unique_ptr<Store> store = Open(path_);
  ASSERT_TRUE(Commit(*store, contract::Append("e1")).ok());
  ASSERT_TRUE(BackUpSqlite(path_, copy_).ok());
  store = nullptr;
  std::filesystem::remove(path_);
  std::filesystem::copy(copy_, path_);
  for (const char* suffix : {"", "-wal", "-shm", ".lock"}) {
    std::ofstream(path_ + suffix, std::ios::app).flush();
    ASSERT_EQ(chmod((path_ + suffix).c_str(), 0664), 0);
  }
  store = Open(path_);
  ASSERT_TRUE(Commit(*store, contract::Append("e2")).ok());
  for (const char* suffix : {"", "-wal", "-shm", ".lock"}) {
    EXPECT_EQ(ModeOf(path_ + suffix), 0600u) << suffix;
  }
}

}  // namespace
}  // namespace ipp::store::contract
