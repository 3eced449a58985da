#include <sqlite3.h>

#include "server/store/sqlite_store.h"
#include "tests/store/failing_vfs.h"
#include "tests/store/store_contract.h"
#include "tests/support/fake_store.h"

namespace ipp::store::contract {
namespace {

class FakeBed final : public StoreBed {
 public:
  std::unique_ptr<Store> Open(size_t max_queue) override {
    auto store = std::make_unique<FakeStore>(&clock, FakeStore::Mode::kThread, disk_, max_queue);
    store_ = store.get();
    return store;
  }
  void Break() override { store_->FailCommits(absl::UnavailableError("broken"), 1000); }
  void Repair() override { store_->FailCommits(absl::OkStatus(), 0); }

 private:
  const std::shared_ptr<FakeDisk> disk_ = std::make_shared<FakeDisk>();
  FakeStore* store_ = nullptr;
};

class SqliteBed final : public StoreBed {
 public:
  SqliteBed() { FailingVfs::Install(); }
  ~SqliteBed() override { FailingVfs::Heal(); }
  std::unique_ptr<Store> Open(size_t max_queue) override {
    SqliteOptions options{.path = directory_.File("gateway.db"), .max_queue = max_queue};
    return *OpenSqliteStore(options, &clock, &metrics);
  }
  void Break() override { FailingVfs::FailWrites(SQLITE_FULL); }
  void Repair() override { FailingVfs::Heal(); }

 private:
  const TempDirectory directory_;
};

}  // namespace

std::unique_ptr<StoreBed> MakeFakeBed() { return std::make_unique<FakeBed>(); }
std::unique_ptr<StoreBed> MakeSqliteBed() { return std::make_unique<SqliteBed>(); }

}  // namespace ipp::store::contract
