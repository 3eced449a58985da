#include "server/store/postgres/connection.h"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "server/base/status_macros.h"

namespace ipp::store {
namespace {

constexpr int kBinary = 1;

// libpq's messages may have several lines.
std::string OneLine(absl::string_view text) {
  return absl::StrJoin(absl::StrSplit(text, absl::ByAnyChar(" \t\n"), absl::SkipEmpty()), " ");
}

absl::Status ErrorOf(const PGresult* result) {
  const auto field = [&](int code) -> absl::string_view {
    const char* text = PQresultErrorField(result, code);
    return text == nullptr ? "" : text;
  };
  const absl::string_view state = field(PG_DIAG_SQLSTATE);
  // Without a code the error is libpq's: it concerns the connection, not a statement.
  if (state.empty()) return absl::UnavailableError(OneLine(PQresultErrorMessage(result)));
  const std::string message =
      absl::StrCat("postgresql: ", OneLine(field(PG_DIAG_MESSAGE_PRIMARY)), " (", state, ")");
  if (state == "23505") return absl::AlreadyExistsError(message);
  // SQLSTATE classes of one transaction's own faults: data that cannot be stored (22), a violated
  // constraint (23), a limit of the server, such as the size of an index entry (54).
  for (const absl::string_view of_its_own : {"22", "23", "54"}) {
    if (absl::StartsWith(state, of_its_own)) return absl::InvalidArgumentError(message);
  }
  return absl::UnavailableError(message);
}

}  // namespace

bool PlanSchedule::TakeDue(Time now) {
  if (now < due_) return false;
  pause_ = std::min<std::chrono::milliseconds>(2 * pause_, std::chrono::minutes(1));
  due_ = now + pause_;
  return true;
}

void PostgresConnection::Finisher::operator()(pg_conn* connection) const { PQfinish(connection); }

PostgresConnection::PostgresConnection(Handle handle, std::chrono::nanoseconds grace,
                                       const StopSignal* stop, PlanSchedule plans)
    : handle_(std::move(handle)), grace_(grace), stop_(stop), plans_(plans) {
  PQsetnonblocking(handle_.get(), 1);
  PQsetNoticeReceiver(handle_.get(), &PostgresConnection::OnNotice, this);
}

void PostgresConnection::OnNotice(void* self, const PGresult* result) {
  auto* connection = static_cast<PostgresConnection*>(self);
  const char* severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
  if (severity == nullptr || absl::string_view(severity) != "WARNING") return;
  if (connection->warning_.empty()) {
    connection->warning_ = std::string(ErrorOf(result).message());
  }
}

std::string PostgresConnection::TakeWarning() { return std::exchange(warning_, ""); }

// ---- Opening. ----

absl::StatusOr<std::unique_ptr<PostgresConnection>> PostgresConnection::Open(
    absl::Span<const PostgresTarget> targets, std::chrono::nanoseconds grace,
    const StopSignal* stop, PlanSchedule plans) {
  std::vector<std::string> errors;
  for (const PostgresTarget& target : targets) {
    absl::StatusOr<Handle> handle = OpenOne(target, stop);
    if (handle.ok()) {
      return std::unique_ptr<PostgresConnection>(
          new PostgresConnection(*std::move(handle), grace, stop, plans));
    }
    if (absl::IsCancelled(handle.status())) return handle.status();
    errors.emplace_back(handle.status().message());
  }
  return absl::UnavailableError(absl::StrJoin(errors, "; "));
}

absl::StatusOr<PostgresConnection::Handle> PostgresConnection::OpenOne(const PostgresTarget& target,
                                                                       const StopSignal* stop) {
  std::vector<const char*> keys, values;
  for (const auto& [key, value] : target.parameters) {
    keys.push_back(key.c_str());
    values.push_back(value.c_str());
  }
  keys.push_back(nullptr);
  values.push_back(nullptr);
  Handle handle(PQconnectStartParams(keys.data(), values.data(), /*expand_dbname=*/0));
  if (handle == nullptr) return absl::UnavailableError("out of memory");
  PQsetNoticeProcessor(
      handle.get(), [](void*, const char*) {}, nullptr);

  Deadline deadline(target.connect_timeout, std::chrono::nanoseconds::zero(), stop);
  auto step =
      PQstatus(handle.get()) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING;
  while (step != PGRES_POLLING_OK) {
    if (step == PGRES_POLLING_FAILED) {
      return absl::UnavailableError(OneLine(PQerrorMessage(handle.get())));
    }
    const absl::Status ready =
        deadline.Wait(PQsocket(handle.get()), step == PGRES_POLLING_READING ? POLLIN : POLLOUT);
    if (absl::IsCancelled(ready)) return ready;
    if (!ready.ok()) {
      const auto host = target.parameters.find("host");
      return absl::UnavailableError(absl::StrCat(
          "the server ", host == target.parameters.end() ? "" : host->second,
          " does not answer for ", absl::FormatDuration(absl::FromChrono(target.connect_timeout))));
    }
    step = PQconnectPoll(handle.get());
  }
  return handle;
}

// ---- Statements. ----

absl::Status PostgresConnection::GiveUp(absl::Status why) {
  dead_ = true;
  return why;
}

absl::Status PostgresConnection::Sent(int accepted) {
  if (accepted == 1) return absl::OkStatus();
  return GiveUp(absl::UnavailableError(OneLine(PQerrorMessage(handle_.get()))));
}

absl::Status PostgresConnection::Flush(Deadline& deadline) {
  while (true) {
    const int rest = PQflush(handle_.get());
    if (rest == 0) return absl::OkStatus();
    if (rest < 0) return Sent(0);
    // Read what arrives meanwhile. Otherwise both sides may wait for the other to read.
    if (absl::Status ready = deadline.Wait(PQsocket(handle_.get()), POLLIN | POLLOUT);
        !ready.ok()) {
      return GiveUp(ready);
    }
    IPP_RETURN_IF_ERROR(Sent(PQconsumeInput(handle_.get())));
  }
}

absl::StatusOr<PostgresRows> PostgresConnection::Next(Deadline& deadline, int* status) {
  while (PQisBusy(handle_.get()) != 0) {
    if (absl::Status ready = deadline.Wait(PQsocket(handle_.get()), POLLIN); !ready.ok()) {
      return GiveUp(ready);
    }
    // Results that arrived before the connection was lost are still valid and used.
    if (PQconsumeInput(handle_.get()) != 1 && PQisBusy(handle_.get()) != 0) return Sent(0);
  }
  PGresult* result = PQgetResult(handle_.get());
  *status = result == nullptr ? -1 : static_cast<int>(PQresultStatus(result));
  return PostgresRows(result);
}

absl::StatusOr<PostgresRows> PostgresConnection::Execute(const std::string& sql,
                                                         std::chrono::nanoseconds limit) {
  Deadline deadline(limit, grace_, stop_);
  IPP_RETURN_IF_ERROR(Sent(PQsendQuery(handle_.get(), sql.c_str())));
  IPP_RETURN_IF_ERROR(Flush(deadline));
  PostgresRows last;
  absl::Status error;
  while (true) {
    int status = 0;
    IPP_ASSIGN_OR_RETURN(PostgresRows rows, Next(deadline, &status));
    if (status == -1) break;
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
      last = std::move(rows);
    } else if (error.ok()) {
      error = ErrorOf(rows.raw());
    }
  }
  if (PQstatus(handle_.get()) == CONNECTION_BAD) dead_ = true;
  if (!error.ok()) return error;
  return last;
}

absl::Status PostgresConnection::Prepare(absl::Span<const PostgresStatement> statements,
                                         std::chrono::nanoseconds limit) {
  Deadline deadline(limit, grace_, stop_);
  IPP_RETURN_IF_ERROR(Sent(PQenterPipelineMode(handle_.get())));
  for (const PostgresStatement& statement : statements) {
    IPP_RETURN_IF_ERROR(
        Sent(PQsendPrepare(handle_.get(), statement.name, statement.sql.c_str(), 0, nullptr)));
  }
  return Collect(statements.size(), deadline).status();
}

absl::Status PostgresConnection::MakePlansAnew(std::chrono::nanoseconds limit) {
  if (PQtransactionStatus(handle_.get()) != PQTRANS_IDLE ||
      !plans_.TakeDue(std::chrono::steady_clock::now())) {
    return absl::OkStatus();
  }
  return Execute("DISCARD PLANS", limit).status();
}

absl::StatusOr<std::vector<PostgresRows>> PostgresConnection::Run(
    absl::Span<const PostgresCall> calls, std::chrono::nanoseconds limit) {
  IPP_RETURN_IF_ERROR(MakePlansAnew(limit));
  Deadline deadline(limit, grace_, stop_);
  IPP_RETURN_IF_ERROR(Sent(PQenterPipelineMode(handle_.get())));
  for (const PostgresCall& call : calls) {
    std::vector<const char*> values;
    std::vector<int> lengths;
    for (const std::string& value : call.arguments.values()) {
      values.push_back(value.data());
      lengths.push_back(static_cast<int>(value.size()));
    }
    const std::vector<int> formats(values.size(), kBinary);
    IPP_RETURN_IF_ERROR(
        Sent(PQsendQueryPrepared(handle_.get(), call.name, static_cast<int>(values.size()),
                                 values.data(), lengths.data(), formats.data(), kBinary)));
  }
  return Collect(calls.size(), deadline);
}

// The results of each statement end with a null; after those of the last statement comes the result
// of the Sync.
absl::StatusOr<std::vector<PostgresRows>> PostgresConnection::Collect(size_t statements,
                                                                      Deadline& deadline) {
  IPP_RETURN_IF_ERROR(Sent(PQpipelineSync(handle_.get())));
  IPP_RETURN_IF_ERROR(Flush(deadline));
  std::vector<PostgresRows> results;
  absl::Status error;
  while (true) {
    int status = 0;
    absl::StatusOr<PostgresRows> rows = Next(deadline, &status);
    if (!rows.ok()) return error.ok() ? rows.status() : error;  // prefer the server's last error
    if (status == PGRES_PIPELINE_SYNC) break;
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
      results.push_back(*std::move(rows));
    } else if (status != -1 && error.ok()) {
      error = ErrorOf(rows->raw());
    }
    if (PQstatus(handle_.get()) == CONNECTION_BAD) {
      return GiveUp(error.ok() ? absl::UnavailableError("the connection was lost") : error);
    }
  }
  IPP_RETURN_IF_ERROR(Sent(PQexitPipelineMode(handle_.get())));
  if (!error.ok()) return error;
  if (results.size() != statements) return GiveUp(absl::InternalError("a result is missing"));
  return results;
}

absl::StatusOr<int64_t> PostgresConnection::WaitForNotification(std::chrono::nanoseconds limit) {
  Deadline deadline(limit, std::chrono::nanoseconds::zero(), stop_);
  int64_t largest = 0;
  while (true) {
    IPP_RETURN_IF_ERROR(Sent(PQconsumeInput(handle_.get())));
    bool any = false;
    while (PGnotify* notification = PQnotifies(handle_.get())) {
      any = true;
      int64_t number = 0;
      if (absl::SimpleAtoi(notification->extra, &number)) largest = std::max(largest, number);
      PQfreemem(notification);
    }
    if (any) return largest;
    const absl::Status ready = deadline.Wait(PQsocket(handle_.get()), POLLIN);
    if (absl::IsDeadlineExceeded(ready)) return 0;
    IPP_RETURN_IF_ERROR(ready);
  }
}

}  // namespace ipp::store
