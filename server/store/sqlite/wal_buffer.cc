#include "server/store/sqlite/wal_buffer.h"

#include <sqlite3.h>

#include <cstring>
#include <memory>
#include <utility>

namespace ipp::store {
namespace {

constexpr char kName[] = "ipp-buffered-wal";
// Of one write to the file. SQLite's VFS takes less than 128 KiB at a time.
constexpr int kBufferBytes = 120 * 1024;
// https://www.sqlite.org/fileformat2.html#the_write_ahead_log: a header of 24 bytes before each
// page; bytes 4 to 7 are zero unless it is the last one of a commit.
constexpr int kFrameHeaderBytes = 24;
constexpr int kCommitMark = 4;
constexpr int kCommitMarkBytes = 4;

bool HasCommitMark(const void* header) {
  static constexpr char kZero[kCommitMarkBytes] = {};
  return std::memcmp(static_cast<const char*>(header) + kCommitMark, kZero, kCommitMarkBytes) != 0;
}

// A write-ahead log. What is not in the file yet is one stretch, from `offset_` on.
class WalFile {
 public:
  explicit WalFile(sqlite3_file* file) : file_(file) {}
  ~WalFile() { file_->pMethods->xClose(file_); }

  sqlite3_file* file() { return file_; }

  int Write(const void* data, int bytes, sqlite3_int64 offset) {
    if (offset != offset_ + used_ || bytes > kBufferBytes - used_) {
      if (const int code = Flush(); code != SQLITE_OK) return code;
      offset_ = offset;
    }
    if (bytes > kBufferBytes) return file_->pMethods->xWrite(file_, data, bytes, offset);
    std::memcpy(buffer_.get() + used_, data, static_cast<size_t>(bytes));
    used_ += bytes;
    if (bytes == kFrameHeaderBytes) {
      ends_commit_ = HasCommitMark(data);
      return SQLITE_OK;
    }
    // A page. SQLite can also write the last one in parts, or several times.
    return ends_commit_ ? Flush() : SQLITE_OK;
  }

  // After an error nothing is buffered: SQLite gives the commit up, and writes its next one over
  // these frames.
  int Flush() {
    const int bytes = std::exchange(used_, 0);
    if (bytes == 0) return SQLITE_OK;
    return file_->pMethods->xWrite(file_, buffer_.get(), bytes, offset_);
  }

 private:
  sqlite3_file* const file_;
  const std::unique_ptr<char[]> buffer_{new char[kBufferBytes]};
  sqlite3_int64 offset_ = 0;
  int used_ = 0;
  bool ends_commit_ = false;  // the header written last does
};

// What SQLite sees; behind it, in the same memory, lies the file of SQLite's own VFS.
struct Handle {
  sqlite3_file base;
  WalFile* wal;
};

WalFile& WalOf(sqlite3_file* file) { return *reinterpret_cast<Handle*>(file)->wal; }
sqlite3_file* FileOf(sqlite3_file* file) { return WalOf(file).file(); }

int Close(sqlite3_file* file) {
  const int code = WalOf(file).Flush();
  delete reinterpret_cast<Handle*>(file)->wal;
  return code;
}

int Read(sqlite3_file* file, void* data, int bytes, sqlite3_int64 offset) {
  if (const int code = WalOf(file).Flush(); code != SQLITE_OK) return code;
  return FileOf(file)->pMethods->xRead(FileOf(file), data, bytes, offset);
}

int Write(sqlite3_file* file, const void* data, int bytes, sqlite3_int64 offset) {
  return WalOf(file).Write(data, bytes, offset);
}

int Truncate(sqlite3_file* file, sqlite3_int64 size) {
  if (const int code = WalOf(file).Flush(); code != SQLITE_OK) return code;
  return FileOf(file)->pMethods->xTruncate(FileOf(file), size);
}

int Sync(sqlite3_file* file, int flags) {
  if (const int code = WalOf(file).Flush(); code != SQLITE_OK) return code;
  return FileOf(file)->pMethods->xSync(FileOf(file), flags);
}

int FileSize(sqlite3_file* file, sqlite3_int64* size) {
  if (const int code = WalOf(file).Flush(); code != SQLITE_OK) return code;
  return FileOf(file)->pMethods->xFileSize(FileOf(file), size);
}

int Lock(sqlite3_file* file, int kind) { return FileOf(file)->pMethods->xLock(FileOf(file), kind); }

int Unlock(sqlite3_file* file, int kind) {
  return FileOf(file)->pMethods->xUnlock(FileOf(file), kind);
}

int CheckReservedLock(sqlite3_file* file, int* held) {
  return FileOf(file)->pMethods->xCheckReservedLock(FileOf(file), held);
}

int FileControl(sqlite3_file* file, int what, void* argument) {
  return FileOf(file)->pMethods->xFileControl(FileOf(file), what, argument);
}

int SectorSize(sqlite3_file* file) { return FileOf(file)->pMethods->xSectorSize(FileOf(file)); }

int DeviceCharacteristics(sqlite3_file* file) {
  return FileOf(file)->pMethods->xDeviceCharacteristics(FileOf(file));
}

// Version 1: the calls of later versions (memory maps, the index of the log) are for the database's
// own file.
constexpr sqlite3_io_methods kMethods = {1,
                                         Close,
                                         Read,
                                         Write,
                                         Truncate,
                                         Sync,
                                         FileSize,
                                         Lock,
                                         Unlock,
                                         CheckReservedLock,
                                         FileControl,
                                         SectorSize,
                                         DeviceCharacteristics,
                                         nullptr,
                                         nullptr,
                                         nullptr,
                                         nullptr,
                                         nullptr,
                                         nullptr};

// The default VFS: SQLite's own. Looked up for each file, since a test can put another one before
// it.
sqlite3_vfs* Default() { return sqlite3_vfs_find(nullptr); }

// For the file of the default VFS, behind a Handle.
int room_bytes = 0;

int Open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  sqlite3_vfs* const vfs = Default();
  if (vfs->szOsFile > room_bytes) return SQLITE_CANTOPEN;
  if ((flags & SQLITE_OPEN_WAL) == 0) return vfs->xOpen(vfs, name, file, flags, out_flags);
  auto* const handle = reinterpret_cast<Handle*>(file);
  auto* const inner = reinterpret_cast<sqlite3_file*>(handle + 1);
  handle->base.pMethods = nullptr;  // no Close after an error
  const int code = vfs->xOpen(vfs, name, inner, flags, out_flags);
  if (code != SQLITE_OK) {
    if (inner->pMethods != nullptr) inner->pMethods->xClose(inner);
    return code;
  }
  handle->wal = new WalFile(inner);
  handle->base.pMethods = &kMethods;
  return SQLITE_OK;
}

}  // namespace

const char* BufferedWalVfs() {
  static const bool registered = [] {
    if (Default() == nullptr) return false;
    static sqlite3_vfs vfs = *Default();  // its calls but Open work on either
    room_bytes = vfs.szOsFile;
    vfs.pNext = nullptr;
    vfs.zName = kName;
    vfs.szOsFile = static_cast<int>(sizeof(Handle)) + room_bytes;
    vfs.xOpen = Open;
    return sqlite3_vfs_register(&vfs, 0) == SQLITE_OK;
  }();
  return registered ? kName : nullptr;
}

}  // namespace ipp::store
