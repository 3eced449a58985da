#include "server/app_files.h"

#include <cstdlib>
#include <functional>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/base/status_macros.h"
#include "server/files/certificates.h"
#include "server/files/file_watch.h"
#include "server/files/memory_file.h"
#include "server/store/postgres/target.h"

namespace ipp {
namespace {

absl::Status At(absl::string_view key, const absl::Status& status) {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat(key, ": ", status.message()));
}

// What a set of files is, once it has been read and judged.
struct Judged {
  std::string pem;
  std::vector<std::string> warnings;
};

class AppFilesImpl final : public AppFiles {
 public:
  AppFilesImpl(const config::Config& config, Clock* clock, Metrics* metrics)
      : config_(config), clock_(clock), metrics_(metrics) {
    for (const char* kind : {"tls", "client_ca", "upstream_ca", "tracing_ca", "postgres"}) {
      RefusedFiles(metrics, kind);
    }
  }

  absl::Status Open(const std::vector<std::string>& permissions,
                    std::vector<std::string>* warnings) {
    std::vector<std::string> problems;
    const config::Tls& tls = config_.tls();
    const std::string& upstream_ca = config_.upstream().ca_file();
    if (config_.has_tls()) {
      Take(
          "tls", {tls.cert_file(), tls.key_file()}, [this] { return ReadIdentity(); }, &identity_,
          &problems, warnings);
    }
    if (!tls.client_ca_file().empty()) {
      const auto read = [this, path = tls.client_ca_file()] {
        return ReadAuthorities("tls.client_ca_file", "client_ca", path);
      };
      Take("client_ca", {tls.client_ca_file()}, read, &client_ca_, &problems, warnings);
    }
    secrets_ = OpenSecrets(config_, permissions, clock_, metrics_, &problems);
    if (!upstream_ca.empty()) {
      const auto read = [this, path = upstream_ca] {
        return ReadAuthorities("upstream.ca_file", "upstream_ca", path);
      };
      Take("upstream_ca", {upstream_ca}, read, &upstream_ca_, &problems, warnings);
    }
    if (const std::string& path = config_.tracing().ca_file(); !path.empty()) {
      const auto read = [this, path] {
        return ReadAuthorities("tracing.ca_file", "tracing_ca", path);
      };
      Take("tracing_ca", {path}, read, &tracing_ca_, &problems, warnings);
    }
    if (config_.store().has_postgres()) {
      const config::Postgres& postgres = config_.store().postgres();
      std::vector<std::string> paths = {postgres.dsn_file()};
      if (!postgres.password_file().empty()) paths.push_back(postgres.password_file());
      Take(
          "postgres", std::move(paths), [this] { return ReadPostgres(); }, nullptr, &problems,
          warnings);
    }
    WarnOfProxies(warnings);
    if (problems.empty()) return absl::OkStatus();
    return absl::FailedPreconditionError(absl::StrJoin(problems, "\n"));
  }

  const Secrets& secrets() const override { return secrets_; }
  std::string identity_file() const override { return PathOf(identity_); }
  std::string client_ca_file() const override { return PathOf(client_ca_); }
  std::string upstream_ca_file() const override { return PathOf(upstream_ca_); }
  std::string tracing_ca_file() const override { return PathOf(tracing_ca_); }

  int LookAgain() override {
    MutexLock lock(&looking_);
    int refused = secrets_.LookAgain();
    for (files::WatchedFiles& watched : watched_) refused += watched.LookAgain().ok() ? 0 : 1;
    return refused;
  }

  void Watch(absl::Duration interval) override {
    watch_ = std::make_unique<files::FileWatch>(interval, [this] { LookAgain(); });
  }

 private:
  using Copy = std::optional<files::MemoryFile>;
  using Read = std::function<absl::StatusOr<Judged>()>;

  static std::string PathOf(const Copy& copy) { return copy.has_value() ? copy->path() : ""; }

  // Reads files for the first time, and watches them from then on. `copy`: what a library will
  // read; may be null.
  void Take(const std::string& kind, std::vector<std::string> paths, Read read, Copy* copy,
            std::vector<std::string>* problems, std::vector<std::string>* warnings) {
    // Before they are read: a change in between is then noticed.
    auto take = [read, copy]() -> absl::Status {
      IPP_ASSIGN_OR_RETURN(const Judged now, read());
      return copy == nullptr ? absl::OkStatus() : (*copy)->Replace(now.pem);
    };
    watched_.emplace_back(files::WatchedFiles::Options{kind, std::move(paths), std::move(take),
                                                       RefusedFiles(metrics_, kind)});
    const absl::StatusOr<Judged> first = read();
    absl::Status status = first.status();
    if (first.ok()) {
      warnings->insert(warnings->end(), first->warnings.begin(), first->warnings.end());
      if (copy != nullptr) {
        auto made = files::MemoryFile::Make(first->pem);
        status = made.status();
        if (made.ok()) copy->emplace(*std::move(made));
      }
    }
    if (!status.ok()) problems->emplace_back(status.message());
  }

  // Key and chain in one file, so that a library never reads one of them without the other.
  absl::StatusOr<Judged> ReadIdentity() {
    const config::Tls& tls = config_.tls();
    return ReadPair("tls.cert_file", tls.cert_file(), "tls.key_file", tls.key_file(), "grpc");
  }

  absl::StatusOr<Judged> ReadPair(const std::string& cert_name, const std::string& cert_path,
                                  const std::string& key_name, const std::string& key_path,
                                  const std::string& certificate) {
    auto chain = files::ReadChain(cert_path, clock_->Now());
    if (!chain.ok()) return At(cert_name, chain.status());
    const auto key = files::ReadKey(key_path, *chain);
    if (!key.ok()) return At(key_name, key.status());
    Export(certificate, *chain);
    return Judged{absl::StrCat(chain->pem, "\n", *key), Under(cert_name, chain->warnings)};
  }

  absl::StatusOr<Judged> ReadAuthorities(const std::string& name, const std::string& certificate,
                                         const std::string& path) {
    auto authorities = files::ReadAuthorities(path, clock_->Now());
    if (!authorities.ok()) return At(name, authorities.status());
    Export(certificate, *authorities);
    return Judged{authorities->pem, Under(name, authorities->warnings)};
  }

  // The connection string, and the files that it names. libpq reads those by itself at each
  // connect, so no copy of them is kept.
  absl::StatusOr<Judged> ReadPostgres() {
    const config::Postgres& postgres = config_.store().postgres();
    auto targets = store::ReadTargets({postgres.dsn_file(), postgres.password_file()},
                                      store::PostgresRole::kWrite);
    if (!targets.ok()) return At("store.postgres", targets.status());
    Judged all;
    std::set<std::string> seen;  // several hosts name the same files
    const auto add = [&](absl::StatusOr<Judged> one) {
      if (one.ok()) {
        all.warnings.insert(all.warnings.end(), one->warnings.begin(), one->warnings.end());
      }
      return one.status();
    };
    for (const store::PostgresTarget& target : *targets) {
      const auto named = [&](const char* key) -> std::string {
        const auto found = target.parameters.find(key);
        return found == target.parameters.end() ? "" : found->second;
      };
      const std::string ca = named("sslrootcert"), cert = named("sslcert"), key = named("sslkey");
      if (!ca.empty() && seen.insert(ca).second) {
        IPP_RETURN_IF_ERROR(
            add(ReadAuthorities("store.postgres.dsn_file: sslrootcert", "postgres_ca", ca)));
      }
      if (!cert.empty() && !key.empty() && seen.insert(cert).second) {
        IPP_RETURN_IF_ERROR(
            add(ReadPair("store.postgres.dsn_file: sslcert", cert,
                         "store.postgres.dsn_file: sslkey", key, "postgres_client")));
      }
    }
    return all;
  }

  static std::vector<std::string> Under(const std::string& name,
                                        std::vector<std::string> warnings) {
    for (std::string& warning : warnings) warning = absl::StrCat(name, ": ", warning);
    return warnings;
  }

  void Export(const std::string& certificate, const files::CertificateFile& file) {
    const auto seconds = [](absl::Time time) {
      return absl::ToDoubleSeconds(time - absl::UnixEpoch());
    };
    metrics_
        ->gauge("ipp_tls_certificate_expiry_seconds",
                "When a certificate in use expires, in seconds since 1970.",
                {{"certificate", certificate}})
        .Set(seconds(file.expires));
    metrics_
        ->gauge("ipp_tls_certificate_begin_seconds",
                "Since when a certificate in use is valid, in seconds since 1970.",
                {{"certificate", certificate}})
        .Set(seconds(file.begins));
  }

  // The value is never shown: it may hold a password.
  void WarnOfProxies(std::vector<std::string>* warnings) const {
    // Loopback is reached without a proxy anyway; plain http leads nowhere else.
    const config::Upstream& upstream = config_.upstream();
    if (!upstream.proxy().empty() || !absl::StartsWith(upstream.base_url(), "https://")) return;
    for (const std::string lower : {"https_proxy", "all_proxy"}) {
      for (const std::string& name : {lower, absl::AsciiStrToUpper(lower)}) {
        const char* value = std::getenv(name.c_str());
        if (value == nullptr || *value == '\0') continue;
        warnings->push_back(absl::StrCat("the environment variable ", name, " is ignored: ",
                                         "a proxy is used only if upstream.proxy names it"));
        return;
      }
    }
  }

  const config::Config config_;
  Clock* const clock_;
  Metrics* const metrics_;
  Secrets secrets_;
  Copy identity_, client_ca_, upstream_ca_, tracing_ca_;
  std::vector<files::WatchedFiles> watched_;
  Mutex looking_;                            // one thread at a time looks at the files
  std::unique_ptr<files::FileWatch> watch_;  // last: it uses the others
};

}  // namespace

absl::StatusOr<std::unique_ptr<AppFiles>> AppFiles::Open(
    const config::Config& config, const std::vector<std::string>& permissions, Clock* clock,
    Metrics* metrics, std::vector<std::string>* warnings) {
  auto files = std::make_unique<AppFilesImpl>(config, clock, metrics);
  IPP_RETURN_IF_ERROR(files->Open(permissions, warnings));
  return files;
}

}  // namespace ipp
