#include "tests/faults/database.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"

namespace ipp::faults {
namespace {

constexpr char kDsnFile[] = "database-dsn";

}  // namespace

absl::StatusOr<std::unique_ptr<Database>> Database::Start(bool with_standby,
                                                          const WorkDirectory& directory) {
  auto database = std::unique_ptr<Database>(new Database(directory));
  IPP_ASSIGN_OR_RETURN(database->primary_, PostgresServer::Start({}));
  database->name_ = database->primary_->CreateDatabase();
  if (with_standby) IPP_RETURN_IF_ERROR(database->AddStandby());
  database->WriteDsn();
  return database;
}

std::string Database::yaml() const {
  return absl::StrCat("{postgres: {dsn_file: ", directory_.File(kDsnFile), "}}");
}

absl::Status Database::AddStandby() {
  IPP_ASSIGN_OR_RETURN(standby_, primary_->StartStandby());
  return absl::OkStatus();
}

// The next connection reads it.
void Database::WriteDsn() const {
  std::string hosts = "127.0.0.1";
  std::string ports = absl::StrCat(primary_->port());
  if (standby_ != nullptr) {
    hosts = "127.0.0.1,127.0.0.1";
    // The standby first: it must be passed over.
    ports = absl::StrCat(standby_->port(), ",", primary_->port());
  }
  directory_.Write(kDsnFile, absl::StrCat("host=", hosts, " port=", ports,
                                          " user=postgres dbname=", name_, "\n"));
}

absl::Status Database::Revive() {
  if (standby_ == nullptr) return primary_->Restart();
  IPP_RETURN_IF_ERROR(standby_->Promote());
  primary_ = std::move(standby_);
  IPP_RETURN_IF_ERROR(AddStandby());
  WriteDsn();
  return absl::OkStatus();
}

absl::StatusOr<std::string> Database::BackUp() { return primary_->Dump(name_, "ipp_gateway"); }

absl::Status Database::Restore(const std::string& file) { return primary_->LoadDump(name_, file); }

}  // namespace ipp::faults
