#include "tests/faults/unrecorded.h"

#include <algorithm>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace ipp::faults {
namespace {

// What `key` says in the lines that hold `message`.
std::set<std::string> Said(const std::string& log, absl::string_view message,
                           absl::string_view key) {
  std::set<std::string> values;
  for (absl::string_view line : absl::StrSplit(log, '\n')) {
    if (!absl::StrContains(line, message)) continue;
    line.remove_prefix(std::min(line.find(key), line.size() - key.size()) + key.size());
    values.emplace(line.substr(0, line.find(' ')));
  }
  return values;
}

}  // namespace

void NoteUnrecorded(const std::string& gateway_log, Ledger* ledger) {
  const auto sessions = Said(gateway_log, " error a session could not be recorded ", "session_id=");
  const auto requests =
      Said(gateway_log, " error what became of a create could not be written down ", "request_id=");
  for (const std::string& session : sessions) ledger->acknowledged.erase(session);
  for (CreateCall& create : ledger->creates) {
    if (sessions.count(create.session_id) == 0 && requests.count(create.request_id) == 0) continue;
    create.recorded = false;
    ledger->acknowledged.erase(create.session_id);
  }
}

}  // namespace ipp::faults
