#include "server/store/postgres/target.h"

#include <libpq-fe.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "server/base/small_file.h"
#include "server/base/status_macros.h"

namespace ipp::store {
namespace {

using Parameters = std::map<std::string, std::string>;

constexpr size_t kMaxBytes = 64 * 1024;
constexpr char kSystemAuthorities[] = "/etc/ssl/certs/ca-certificates.crt";

absl::StatusOr<std::vector<std::string>> ReadLines(const std::string& path) {
  IPP_ASSIGN_OR_RETURN(const FileContent content, ReadSmallFile(path, kMaxBytes));
  return std::vector<std::string>(absl::StrSplit(content.text, '\n'));
}

absl::StatusOr<std::string> ReadDsn(const std::string& path) {
  IPP_ASSIGN_OR_RETURN(std::vector<std::string> lines, ReadLines(path));
  std::erase_if(lines, [](const std::string& line) {
    return absl::StartsWith(absl::StripLeadingAsciiWhitespace(line), "#");
  });
  std::string dsn = absl::StrJoin(lines, " ");
  absl::StripAsciiWhitespace(&dsn);
  if (dsn.empty()) return absl::FailedPreconditionError(absl::StrCat(path, " is empty"));
  return dsn;
}

struct OptionsFreer {
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};
using Options = std::unique_ptr<PQconninfoOption, OptionsFreer>;

Parameters Given(const PQconninfoOption* options) {
  Parameters given;
  for (; options != nullptr && options->keyword != nullptr; ++options) {
    if (options->val != nullptr) given[options->keyword] = options->val;
  }
  return given;
}

// Detects a URI whose password was not percent-encoded: the part behind an '@' or '/' of the
// password became the host, the port or the database, and errors would show it.
bool IsMisread(const Parameters& parameters) {
  const auto holds = [&](const char* key, auto wrong) {
    const auto found = parameters.find(key);
    return found != parameters.end() && wrong(found->second);
  };
  // From index 1: the name of a socket in the abstract namespace begins with '@'.
  return holds("host", [](const std::string& s) { return s.find('@', 1) != std::string::npos; }) ||
         holds("dbname", [](const std::string& s) { return absl::StrContains(s, "@"); }) ||
         holds("port", [](const std::string& s) {
           return s.find_first_not_of("0123456789,") != std::string::npos;
         });
}

absl::StatusOr<Parameters> Parse(const std::string& dsn, const std::string& path) {
  char* error = nullptr;
  const Options options(PQconninfoParse(dsn.c_str(), &error));
  PQfreemem(error);  // not used: it quotes the text
  Parameters parameters = Given(options.get());
  const bool misread = IsMisread(parameters);
  if (parameters["host"].empty()) parameters.erase("host");
  if (options == nullptr || misread) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, " is not a connection string of PostgreSQL"));
  }
  if (parameters.contains("service")) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, " names a service: write out what it stands for"));
  }
  // libpq itself takes missing parameters from the environment. Those that decide the list of hosts
  // must be known here.
  const Options defaults(PQconndefaults());
  const Parameters environment = Given(defaults.get());
  for (const char* key : {"host", "hostaddr", "port"}) {
    const auto found = environment.find(key);
    if (found != environment.end()) parameters.emplace(key, found->second);
  }
  return parameters;
}

// The i-th item of a list, or the only one.
std::string Item(const Parameters& parameters, const std::string& key, size_t i) {
  const auto found = parameters.find(key);
  if (found == parameters.end()) return "";
  const std::vector<std::string> items = absl::StrSplit(found->second, ',');
  return items.size() == 1 ? items[0] : i < items.size() ? items[i] : "";
}

size_t Hosts(const Parameters& parameters) {
  const size_t hosts = static_cast<size_t>(std::max(
      std::count(parameters.at("host").begin(), parameters.at("host").end(), ','),
      std::count(parameters.at("hostaddr").begin(), parameters.at("hostaddr").end(), ',')));
  return hosts + 1;
}

// Whether the peer is on this machine, where no third party can read or change the traffic.
bool IsLocal(const std::string& host, const std::string& address) {
  const std::string& peer = address.empty() ? host : address;
  return peer.empty() || peer[0] == '/' || peer[0] == '@' || peer == "localhost" || peer == "::1" ||
         absl::StartsWith(peer, "127.");
}

void SetDefaults(Parameters& parameters, PostgresRole role) {
  const std::pair<const char*, const char*> defaults[] = {
      {"target_session_attrs", role == PostgresRole::kWrite ? "read-write" : "primary"},
      {"fallback_application_name", "ipp-gateway"},
      {"client_encoding", "UTF8"},
      {"keepalives_idle", "5"},
      {"keepalives_interval", "2"},
      {"keepalives_count", "3"},
      {"tcp_user_timeout", "10000"},
  };
  for (const auto& [key, value] : defaults) parameters.emplace(key, value);
}

PostgresTarget MakeTarget(Parameters parameters) {
  const bool local = IsLocal(parameters["host"], parameters["hostaddr"]);
  if (!local && parameters.emplace("sslmode", "verify-full").second) {
    parameters.emplace("sslrootcert", kSystemAuthorities);
  }
  int seconds = 0;
  const auto timeout = parameters.find("connect_timeout");
  if (timeout == parameters.end() || !absl::SimpleAtoi(timeout->second, &seconds) || seconds <= 0) {
    seconds = 3;
  }
  std::erase_if(parameters, [](const auto& parameter) { return parameter.second.empty(); });
  return {std::move(parameters), std::chrono::seconds(seconds)};
}

}  // namespace

absl::StatusOr<std::vector<PostgresTarget>> ReadTargets(const PostgresFiles& files,
                                                        PostgresRole role) {
  IPP_ASSIGN_OR_RETURN(const std::string dsn, ReadDsn(files.dsn_file));
  IPP_ASSIGN_OR_RETURN(Parameters parameters, Parse(dsn, files.dsn_file));
  if (!files.password_file.empty()) {
    IPP_ASSIGN_OR_RETURN(const std::vector<std::string> lines, ReadLines(files.password_file));
    const absl::string_view password = absl::StripSuffix(lines[0], "\r");
    if (password.empty()) {
      return absl::FailedPreconditionError(absl::StrCat(files.password_file, " is empty"));
    }
    parameters["password"] = std::string(password);
  }
  SetDefaults(parameters, role);
  parameters.try_emplace("host");
  parameters.try_emplace("hostaddr");
  std::vector<PostgresTarget> targets;
  for (size_t i = 0; i < Hosts(parameters); ++i) {
    Parameters one = parameters;
    for (const char* key : {"host", "hostaddr", "port"}) one[key] = Item(parameters, key, i);
    targets.push_back(MakeTarget(std::move(one)));
  }
  return targets;
}

}  // namespace ipp::store
