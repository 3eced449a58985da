#include "tests/bench/bare_postgres.h"

#include <libpq-fe.h>

#include <algorithm>
#include <vector>

#include "server/store/event_row.h"
#include "server/store/postgres/rows.h"
#include "server/store/postgres/schema.h"
#include "server/store/postgres/writer.h"
#include "tests/bench/flags.h"

namespace ipp::bench {
namespace {

constexpr int64_t kTime = 1'790'000'000'000'000'000;

class BarePostgres final : public Writer {
 public:
  BarePostgres(const std::string& conninfo, int batch)
      : batch_(batch),
        record_(MakeRecord(RandomId())),
        event_(store::MakeRow(MakeEvent(record_), 1, absl::FromUnixNanos(kTime))),
        connection_(PQconnectdb(conninfo.c_str())) {
    if (PQstatus(connection_) != CONNECTION_OK) Fail();
    Execute("CREATE SCHEMA ipp_gateway");
    for (const char* step : store::PostgresMigrations()) Execute(step);
    for (const store::PostgresStatement& statement : store::PostgresWriterStatements()) {
      PQclear(PQprepare(connection_, statement.name, statement.sql.c_str(), 0, nullptr));
    }
  }
  ~BarePostgres() override { PQfinish(connection_); }

  void Write(int events) override {
    for (int left = events; left > 0; left -= batch_) Commit(std::min(left, batch_));
  }

 private:
  void Commit(int events) {
    store::PostgresArray keys(store::PostgresType::kBytea);
    std::vector<store::SessionRecord> records(static_cast<size_t>(events), record_);
    std::vector<const store::SessionRecord*> pointers;
    std::vector<store::StoredEvent> rows(static_cast<size_t>(events), event_);
    for (size_t i = 0; i < records.size(); ++i) {
      const std::string id = RandomId();
      keys.AddBytes("DM00000001/kevt_" + id);
      records[i].session.set_session_id(id);
      pointers.push_back(&records[i]);
      rows[i].session_id = id;
      rows[i].position = ++position_;
    }
    Check(PQenterPipelineMode(connection_));
    Send("begin", {});
    Send("put_seen", store::PostgresArguments().Array(keys).Int(kTime));
    Send("put_sessions", store::SessionArguments(pointers));
    Send("put_events", store::EventArguments(rows));
    Send("commit", {});
    Check(PQpipelineSync(connection_));
    while (!Collected()) {
    }
    Check(PQexitPipelineMode(connection_));
  }

  void Send(const char* statement, const store::PostgresArguments& arguments) {
    std::vector<const char*> values;
    std::vector<int> lengths;
    for (const std::string& value : arguments.values()) {
      values.push_back(value.data());
      lengths.push_back(static_cast<int>(value.size()));
    }
    const std::vector<int> formats(values.size(), 1);
    Check(PQsendQueryPrepared(connection_, statement, static_cast<int>(values.size()),
                              values.data(), lengths.data(), formats.data(), 1));
  }

  // True at the end of the pipeline.
  bool Collected() {
    PGresult* result = PQgetResult(connection_);
    if (result == nullptr) return false;
    const ExecStatusType status = PQresultStatus(result);
    PQclear(result);
    if (status == PGRES_PIPELINE_SYNC) return true;
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) Fail();
    return false;
  }

  void Execute(const char* sql) {
    PGresult* result = PQexec(connection_, sql);
    if (PQresultStatus(result) != PGRES_COMMAND_OK) Fail();
    PQclear(result);
  }
  void Check(int accepted) {
    if (accepted != 1) Fail();
  }
  [[noreturn]] void Fail() { Die(std::string("postgres: ") + PQerrorMessage(connection_)); }

  const int batch_;
  const store::SessionRecord record_;
  const store::StoredEvent event_;
  PGconn* const connection_;
  int64_t position_ = 0;
};

}  // namespace

std::unique_ptr<Writer> NewBarePostgres(const std::string& conninfo, int batch) {
  return std::make_unique<BarePostgres>(conninfo, batch);
}

}  // namespace ipp::bench
