#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "server/base/log.h"
#include "server/base/metrics.h"
#include "server/store/postgres/store.h"
#include "server/store/sqlite/store.h"
#include "tests/bench/bare_postgres.h"
#include "tests/bench/bare_sqlite.h"
#include "tests/bench/flags.h"
#include "tests/bench/store_load.h"
#include "tests/support/postgres_server.h"

// Durable events per second into a store, n a commit, beside the floor: the very same rows (a dedup
// key, a session, an event) by the same statements, written straight with the database's library in
// commits of n, with nothing read, decided or serialized. Store and floor take turns in short
// slices of one process, each with a file of its own in one directory (TMPDIR, or /tmp: it should
// be on a real disk), so that what else the machine does hits both; what counts is the median of
// the slices' ratios.
namespace ipp::bench {
namespace {

constexpr int kLeastCommits = 12;

class Directory {
 public:
  Directory() {
    const char* base = std::getenv("TMPDIR");
    path_ = std::string(base == nullptr ? "/tmp" : base) + "/store-bench-XXXXXX";
    if (mkdtemp(path_.data()) == nullptr) Die("cannot make " + path_);
  }
  ~Directory() { std::filesystem::remove_all(path_); }
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

// Takes turns, the one that begins too.
void Compare(const std::string& name, int batch, int rounds, double slice_seconds, Writer* store,
             Writer* bare) {
  // Warms both up.
  double rate = Measure(bare, 4 * batch).per_second();
  Measure(store, 4 * batch);
  std::vector<double> ratios, store_rate, bare_rate, store_cpu, bare_cpu;
  for (int round = 0; round < rounds; ++round) {
    // It grows slower with the file. The store begins a slice with a commit of whatever came first:
    // one among many.
    const int commits = std::max(kLeastCommits, static_cast<int>(slice_seconds * rate / batch));
    Slice slices[2];
    for (const int i : {round % 2, 1 - round % 2}) {
      slices[i] = Measure(i == 0 ? store : bare, commits * batch);
    }
    rate = slices[1].per_second();
    ratios.push_back(slices[0].per_second() / slices[1].per_second());
    store_rate.push_back(slices[0].per_second());
    bare_rate.push_back(slices[1].per_second());
    store_cpu.push_back(slices[0].cpu_us());
    bare_cpu.push_back(slices[1].cpu_us());
  }
  std::printf(
      "%s batch=%d store_per_second=%.1f bare_per_second=%.1f ratio=%.3f least=%.3f most=%.3f "
      "store_cpu_us=%.3f bare_cpu_us=%.3f\n",
      name.c_str(), batch, Median(store_rate), Median(bare_rate), Median(ratios),
      *std::min_element(ratios.begin(), ratios.end()),
      *std::max_element(ratios.begin(), ratios.end()), Median(store_cpu), Median(bare_cpu));
  std::fflush(stdout);
}

void CompareSqlite(int batch, int rounds, double slice_seconds) {
  const Directory directory;
  Metrics metrics;
  store::SqliteOptions options{.path = directory.file("store.db"),
                               .queue = {.max_batch = static_cast<size_t>(batch)}};
  auto opened = store::OpenSqliteStore(options, Clock::Real(), &metrics);
  if (!opened.ok()) Die(std::string(opened.status().message()));
  StoreWriter store(opened->get(), 4 * batch);
  const auto bare = NewBareSqlite(directory.file("bare.db"), batch);
  Compare("sqlite", batch, rounds, slice_seconds, &store, bare.get());
}

void ComparePostgres(PostgresServer* server, int batch, int rounds, double slice_seconds) {
  const Directory directory;
  const std::string dsn_file = directory.file("dsn");
  std::ofstream(dsn_file) << server->conninfo(server->CreateDatabase()) << " sslmode=disable\n";
  Metrics metrics;
  store::PostgresOptions options{.dsn_file = dsn_file,
                                 .queue = {.max_batch = static_cast<size_t>(batch)}};
  auto opened = store::OpenPostgresStore(options, Clock::Real(), &metrics);
  if (!opened.ok()) Die(std::string(opened.status().message()));
  StoreWriter store(opened->get(), 4 * batch);
  const auto bare = NewBarePostgres(server->conninfo(server->CreateDatabase()), batch);
  Compare("postgres", batch, rounds, slice_seconds, &store, bare.get());
}

int Main(const Flags& flags) {
  SetLogLevel("error").IgnoreError();
  double slice_seconds = 0;
  if (!absl::SimpleAtod(flags.Text("slice-seconds"), &slice_seconds)) Die("--slice-seconds");
  std::vector<int> batches;
  for (const absl::string_view text : absl::StrSplit(flags.Text("batches"), ',')) {
    if (!absl::SimpleAtoi(text, &batches.emplace_back())) Die("--batches is a list of numbers");
  }
  const int rounds = flags.Number("rounds");
  for (const int batch : batches) CompareSqlite(batch, rounds, slice_seconds);
  auto server = PostgresServer::Start({.fsync = true});
  if (!server.ok()) Die(std::string(server.status().message()));
  for (const int batch : batches) ComparePostgres(server->get(), batch, rounds, slice_seconds);
  return 0;
}

}  // namespace
}  // namespace ipp::bench

int main(int argc, char** argv) { return ipp::bench::Main(ipp::bench::Flags(argc, argv, 1)); }
