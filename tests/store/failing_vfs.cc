#include "tests/store/failing_vfs.h"

#include <sqlite3.h>

#include <atomic>
#include <map>
#include <memory>
#include <mutex>

namespace ipp::store::contract {
namespace {

std::atomic<int> write_error{SQLITE_OK};
std::atomic<int> sync_error{SQLITE_OK};
std::atomic<int> sync_count{0};
std::atomic<int> write_count{0};
std::atomic<int> failure_count{0};

// A copy of a method table with two entries replaced. First member: found again from a file.
struct Patched {
  sqlite3_io_methods methods;
  const sqlite3_io_methods* original;
};

const sqlite3_io_methods* OriginalOf(sqlite3_file* file) {
  return reinterpret_cast<const Patched*>(file->pMethods)->original;
}

int Write(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
  const int error = write_error;
  if (error == SQLITE_OK) {
    ++write_count;
    return OriginalOf(file)->xWrite(file, data, size, offset);
  }
  ++failure_count;
  return error;
}

int Sync(sqlite3_file* file, int flags) {
  const int error = sync_error;
  if (error == SQLITE_OK) {
    ++sync_count;
    return OriginalOf(file)->xSync(file, flags);
  }
  ++failure_count;
  return error;
}

const sqlite3_io_methods* Patch(const sqlite3_io_methods* original) {
  static std::mutex mutex;
  static auto* tables = new std::map<const sqlite3_io_methods*, std::unique_ptr<Patched>>;
  std::lock_guard<std::mutex> lock(mutex);
  std::unique_ptr<Patched>& patched = (*tables)[original];
  if (patched == nullptr) {
    patched = std::make_unique<Patched>(Patched{*original, original});
    patched->methods.xWrite = &Write;
    patched->methods.xSync = &Sync;
  }
  return &patched->methods;
}

sqlite3_vfs* real_vfs = nullptr;

int Open(sqlite3_vfs* vfs, sqlite3_filename name, sqlite3_file* file, int flags, int* out_flags) {
  const int code = real_vfs->xOpen(vfs, name, file, flags, out_flags);
  if (file->pMethods != nullptr) file->pMethods = Patch(file->pMethods);
  return code;
}

}  // namespace

void FailingVfs::Install() {
  static const bool installed = [] {
    real_vfs = sqlite3_vfs_find(nullptr);
    static sqlite3_vfs vfs = *real_vfs;
    vfs.zName = "failing";
    vfs.xOpen = &Open;
    return sqlite3_vfs_register(&vfs, /*makeDflt=*/1) == SQLITE_OK;
  }();
  static_cast<void>(installed);
}

void FailingVfs::FailWrites(int code) { write_error = code; }
void FailingVfs::FailSyncs(int code) { sync_error = code; }
void FailingVfs::Heal() {
  write_error = SQLITE_OK;
  sync_error = SQLITE_OK;
}
int FailingVfs::failures() { return failure_count; }
int FailingVfs::writes() { return write_count; }
int FailingVfs::syncs() { return sync_count; }

}  // namespace ipp::store::contract
