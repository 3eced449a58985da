#include "server/store/sqlite/backup.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/store/sqlite/database.h"
#include "server/store/sqlite/schema.h"

namespace ipp::store {
namespace {

absl::Status FileError(absl::string_view what, const std::string& file) {
  return absl::FailedPreconditionError(
      absl::StrCat("cannot ", what, " ", file, ": ", std::strerror(errno)));
}

absl::Status SyncFile(const std::string& file, int flags) {
  const int fd = open(file.c_str(), flags | O_CLOEXEC);
  if (fd < 0) return FileError("open", file);
  const bool synced = fsync(fd) == 0;
  absl::Status status = synced ? absl::OkStatus() : FileError("write", file);
  close(fd);
  return status;
}

absl::Status Copy(const std::string& path, const std::string& copy) {
  IPP_ASSIGN_OR_RETURN(const std::unique_ptr<SqliteDatabase> source,
                       SqliteDatabase::OpenReadOnly(path));
  IPP_RETURN_IF_ERROR(CheckSqliteOwner(source.get()));
  IPP_ASSIGN_OR_RETURN(const std::unique_ptr<SqliteDatabase> target, SqliteDatabase::Open(copy));
  // The copy needs no journal, since an incomplete one is removed; it is synced once, at the end.
  IPP_RETURN_IF_ERROR(target->Execute("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF"));
  return source->CopyTo(target.get());
}

absl::Status Verify(const std::string& copy) {
  // Immutable: SQLite creates no files beside it.
  IPP_ASSIGN_OR_RETURN(const std::unique_ptr<SqliteDatabase> database,
                       SqliteDatabase::OpenImmutable(copy));
  IPP_RETURN_IF_ERROR(CheckSqliteOwner(database.get()));
  IPP_ASSIGN_OR_RETURN(const std::string verdict, database->ReadOne("PRAGMA quick_check(1)"));
  if (verdict != "ok") return absl::DataLossError(absl::StrCat("the copy is damaged: ", verdict));
  return absl::OkStatus();
}

}  // namespace

absl::Status BackUpSqlite(const std::string& path, const std::string& target) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    return absl::FailedPreconditionError(absl::StrCat("there is no store ", path));
  }
  if (std::filesystem::exists(std::filesystem::symlink_status(target, error))) {
    return absl::FailedPreconditionError(absl::StrCat(target, " is there already"));
  }
  const std::string copy = absl::StrCat(target, ".", getpid(), ".partial");
  const int made = open(copy.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (made < 0) return FileError("make", copy);
  fchmod(made, 0600);
  close(made);
  const absl::Cleanup remove = [&copy] { unlink(copy.c_str()); };

  absl::Status status = Copy(path, copy);
  if (status.ok()) status = Verify(copy);
  if (!status.ok()) {
    return absl::Status(status.code(),
                        absl::StrCat("cannot back up ", path, ": ", status.message()));
  }
  IPP_RETURN_IF_ERROR(SyncFile(copy, O_RDWR));
  // link(), unlike rename(), does not replace a file that appeared meanwhile.
  if (link(copy.c_str(), target.c_str()) != 0) {
    if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS) return FileError("make", target);
    // A file system without hard links.
    if (renameat2(AT_FDCWD, copy.c_str(), AT_FDCWD, target.c_str(), RENAME_NOREPLACE) != 0) {
      return FileError("make", target);
    }
  }
  const std::string directory = std::filesystem::path(target).parent_path().string();
  return SyncFile(directory.empty() ? "." : directory, O_RDONLY | O_DIRECTORY);
}

}  // namespace ipp::store
