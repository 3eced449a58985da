#include "tests/faults/unrecorded.h"

#include <algorithm>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace ipp::faults {
namespace {

std::set<std::string> UnrecordedSessions(const std::string& log) {
  constexpr absl::string_view kKey = "session_id=";
  std::set<std::string> sessions;
  for (absl::string_view line : absl::StrSplit(log, '\n')) {
    if (!absl::StrContains(line, " error a session could not be recorded ")) continue;
    line.remove_prefix(std::min(line.find(kKey), line.size() - kKey.size()) + kKey.size());
    sessions.emplace(line.substr(0, line.find(' ')));
  }
  return sessions;
}

}  // namespace

void NoteUnrecorded(const std::string& gateway_log, Ledger* ledger) {
  const std::set<std::string> sessions = UnrecordedSessions(gateway_log);
  for (const std::string& session : sessions) ledger->acknowledged.erase(session);
  for (CreateCall& create : ledger->creates) {
    if (sessions.count(create.session_id) > 0) create.recorded = false;
  }
}

}  // namespace ipp::faults
