#include "server/store/sqlite/wal_buffer.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/store/sqlite/database.h"
#include "tests/store/failing_vfs.h"
#include "tests/store/store_contract.h"

namespace ipp::store {
namespace {

using contract::FailingVfs;
using contract::TempDirectory;

class WalBuffer : public testing::Test {
 protected:
  WalBuffer() {
    FailingVfs::Install();
    writer_ = *SqliteDatabase::Open(path_);
    Run("PRAGMA journal_mode = WAL; CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT)");
    reader_ = *SqliteDatabase::OpenReadOnly(path_);
  }
  ~WalBuffer() override { FailingVfs::Heal(); }

  void Run(const std::string& sql) {
    const absl::Status status = writer_->Execute(sql);
    EXPECT_TRUE(status.ok()) << status;
  }
  // So many rows, a page each.
  static std::string Rows(int count) {
    return absl::StrCat("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ",
                        count,
                        ") INSERT INTO t (text) SELECT printf('%d %3500d', random(), i) FROM n");
  }
  // What another connection sees.
  std::string Read(const std::string& sql) { return *reader_->ReadOne(sql); }

  const TempDirectory directory_;
  const std::string path_ = directory_.File("wal.db");
  std::unique_ptr<SqliteDatabase> writer_;
  std::unique_ptr<SqliteDatabase> reader_;
};

TEST_F(WalBuffer, WritesManyFramesAtOnce) {
  Run("BEGIN; " + Rows(100));
  const int before = FailingVfs::writes();
  Run("COMMIT");
  EXPECT_LT(FailingVfs::writes() - before, 10);  // of 120 KiB; SQLite alone: more than 200
  EXPECT_EQ(Read("SELECT count(*) FROM t"), "100");
}

// Also where no sync comes before SQLite shows the commit to other connections.
TEST_F(WalBuffer, ShowsACommitThatIsNotSynced) {
  Run("PRAGMA synchronous = OFF");
  for (int i = 1; i <= 50; ++i) {
    Run(Rows(1));
    ASSERT_EQ(Read("SELECT count(*) FROM t"), absl::StrCat(i));
  }
}

// Pages leave the cache before the commit, are read again and written over, and some given up.
TEST_F(WalBuffer, HandlesATransactionLargerThanTheCache) {
  Run("PRAGMA cache_size = 10");
  Run("BEGIN; " + Rows(300));
  Run("UPDATE t SET text = text || 'x' WHERE id % 3 = 0; SAVEPOINT s; DELETE FROM t WHERE id > "
      "100");
  EXPECT_EQ(Read("SELECT count(*) FROM t"), "0");
  Run("ROLLBACK TO s; UPDATE t SET text = text || 'y' WHERE id % 2 = 0; COMMIT");
  EXPECT_EQ(Read("SELECT count(*) FROM t WHERE text LIKE '%x'"), "50");
  EXPECT_EQ(Read("SELECT count(*) FROM t WHERE text LIKE '%xy'"), "50");
  EXPECT_EQ(Read("SELECT count(*) FROM t"), "300");
  EXPECT_EQ(Read("PRAGMA integrity_check"), "ok");
  // A process that reads the log anew, without SQLite's index of it.
  const std::string copy = directory_.File("copy.db");
  for (const char* part : {"", "-wal"}) std::filesystem::copy_file(path_ + part, copy + part);
  EXPECT_EQ(*(*SqliteDatabase::Open(copy))->ReadOne("PRAGMA integrity_check"), "ok");
  EXPECT_EQ(*(*SqliteDatabase::Open(copy))->ReadOne("SELECT count(*) FROM t"), "300");
}

TEST_F(WalBuffer, CopiesTheLogBackAndBeginsItAgain) {
  for (int i = 1; i <= 5; ++i) {
    Run(Rows(20));
    Run("PRAGMA wal_checkpoint(TRUNCATE)");
    ASSERT_EQ(Read("SELECT count(*) FROM t"), absl::StrCat(20 * i));
  }
  EXPECT_EQ(Read("PRAGMA integrity_check"), "ok");
}

class WalBufferFailure : public WalBuffer, public testing::WithParamInterface<int> {};
INSTANTIATE_TEST_SUITE_P(WalBuffer, WalBufferFailure,
                         testing::Values(SQLITE_FULL, SQLITE_IOERR_WRITE));

// An error appears when the frames go to the file; then nothing of the commit counts, and the next
// one takes its place.
TEST_P(WalBufferFailure, IsTheCommitsError) {
  Run(Rows(1));
  for (const int rows : {1, 100}) {
    FailingVfs::FailWrites(GetParam());
    EXPECT_FALSE(writer_->Execute(Rows(rows)).ok());
    FailingVfs::Heal();
    writer_->Rollback();
    EXPECT_EQ(Read("SELECT count(*) FROM t"), "1");
  }
  Run(Rows(10));
  EXPECT_EQ(Read("SELECT count(*) FROM t"), "11");
  EXPECT_EQ(Read("PRAGMA integrity_check"), "ok");
}

}  // namespace
}  // namespace ipp::store
