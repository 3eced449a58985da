#include "server/store/postgres/store.h"

#include <chrono>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/this_thread.h"
#include "server/store/postgres/connection_settings.h"
#include "server/store/postgres/reader.h"
#include "server/store/postgres/reconnecting_connection.h"
#include "server/store/postgres/wait.h"
#include "server/store/postgres/writer.h"

namespace ipp::store {
namespace {

using std::chrono::steady_clock;

// How long work under way may take to end when the store is closed.
constexpr std::chrono::seconds kGrace{2};

// The options of the store's connections.
class Connections {
 public:
  Connections(const PostgresOptions& options, std::string log_id, const PostgresLimits& limits,
              std::shared_ptr<const StopSignal> stop, Metrics* metrics)
      : files_{options.dsn_file, options.password_file},
        log_id_(std::move(log_id)),
        limits_(limits),
        stop_(std::move(stop)),
        metrics_(metrics) {}

  ReconnectingConnection::Options Make(const std::string& name, PostgresRole role,
                                       std::vector<PostgresStatement> statements) const {
    return {.name = name,
            .files = files_,
            .role = role,
            .grace = kGrace,
            .stop = stop_,
            .reconnects = &metrics_->counter("ipp_store_reconnects_total",
                                             "Connections to the database made again.",
                                             {{"connection", name}}),
            .set_up = [role, log_id = log_id_, limits = limits_,
                       statements = std::move(statements)](PostgresConnection& made) {
              absl::Status status = SetUpConnection(made, role, limits);
              if (status.ok()) status = CheckLog(made, log_id, limits).status();
              return status.ok() ? made.Prepare(statements, limits.answer) : status;
            }};
  }

 private:
  const PostgresFiles files_;
  const std::string log_id_;
  const PostgresLimits limits_;
  const std::shared_ptr<const StopSignal> stop_;
  Metrics* const metrics_;
};

// A QueuedStore that also follows what other replicas append, on a thread of its own.
class PostgresStore final : public QueuedStore {
 public:
  PostgresStore(Backend backend, const PostgresOptions& options,
                std::unique_ptr<PostgresReader> tail, std::shared_ptr<StopSignal> stop,
                Clock* clock, Metrics* metrics)
      : QueuedStore(std::move(backend), options.queue, clock, metrics),
        poll_interval_(absl::ToChronoNanoseconds(options.poll_interval)),
        stop_(std::move(stop)),
        tail_(std::move(tail)) {
    follow_thread_ = std::thread([this] {
      NameThisThread("store-listener");
      WakeThisThreadAtOnce();
      Follow();
    });
  }
  ~PostgresStore() override {
    stop_->Stop();
    follow_thread_.join();
  }

 private:
  void Follow() {
    ReconnectingConnection& connection = tail_->connection();
    while (!stop_->stopped()) {
      if (!connection.Get(ReconnectingConnection::InPause::kWait).ok()) continue;
      const LogBounds known = bounds();
      const absl::StatusOr<LogBounds> read = tail_->ReadBounds();
      if (!read.ok()) continue;
      Learn(known, *read);
      AwaitNotification(connection);
    }
  }

  // Returns when the bounds are to be read again: when another replica has appended, at the end of
  // the poll interval, or when the connection is lost.
  void AwaitNotification(ReconnectingConnection& connection) {
    const auto poll_at = steady_clock::now() + poll_interval_;
    while (true) {
      const absl::StatusOr<PostgresConnection*> open =
          connection.Get(ReconnectingConnection::InPause::kWait);
      if (!open.ok()) return;
      const absl::StatusOr<int64_t> position =
          (*open)->WaitForNotification(poll_at - steady_clock::now());
      if (!position.ok()) connection.Drop(position.status());
      // 0: the end of the interval. The position of one of our own commits is already known.
      if (!position.ok() || *position == 0 || *position > bounds().latest) return;
    }
  }

  const std::chrono::nanoseconds poll_interval_;
  const std::shared_ptr<StopSignal> stop_;
  const std::unique_ptr<PostgresReader> tail_;
  std::thread follow_thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> OpenPostgresStore(PostgresOptions options, Clock* clock,
                                                         Metrics* metrics) {
  const PostgresLimits limits(absl::ToChronoNanoseconds(options.answer_timeout));
  const absl::StatusOr<LogAtStart> log = OpenLog({options.dsn_file, options.password_file}, limits);
  if (!log.ok()) {
    return absl::Status(
        log.status().code(),
        absl::StrCat("cannot open the store of ", options.dsn_file, ": ", log.status().message()));
  }
  const auto stop = std::make_shared<StopSignal>();
  const Connections connections(options, log->id, limits, stop, metrics);
  PostgresWriter::Options write{
      .connection = connections.Make("writer", PostgresRole::kWrite, PostgresWriterStatements()),
      .database_clock = options.database_clock};
  Backend backend{
      .log_id = log->id,
      .bounds = log->bounds,
      .now = options.database_clock ? std::optional(log->now) : std::nullopt,
      .exclusive = false,
      .name = {"dsn_file", options.dsn_file},
      .writer = std::make_unique<PostgresWriter>(std::move(write), limits),
      .reader = std::make_unique<PostgresReader>(
          connections.Make("reader", PostgresRole::kRead, PostgresReaderStatements()), limits)};
  auto tail = std::make_unique<PostgresReader>(
      connections.Make("listener", PostgresRole::kListen, PostgresReaderStatements()), limits);
  return std::make_unique<PostgresStore>(std::move(backend), options, std::move(tail), stop, clock,
                                         metrics);
}

}  // namespace ipp::store
