#include "tests/faults/verdict.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/faults/log_verdict.h"
#include "tests/faults/steps.h"

namespace ipp::faults {
namespace {

namespace v1 = kustom::ipp::v1;

template <typename List, typename Value>
bool Matches(const List& list, const Value& value) {
  return list.empty() || std::find(list.begin(), list.end(), value) != list.end();
}

// As far as the observers' filters go.
bool Matches(const v1::SessionEventFilter& filter, const v1::SessionEvent& event) {
  return Matches(filter.merchant_ids(), event.merchant_id()) &&
         Matches(filter.session_ids(), event.session_id()) &&
         Matches(filter.types(), static_cast<int>(event.type()));
}

}  // namespace

void JudgeObserver(const Observation& reference, const Observation& observer, Verdict* out) {
  for (const std::string& complaint : observer.complaints) {
    out->wrong.push_back(absl::StrCat(observer.name, ": ", complaint));
  }
  size_t seen = 0;
  for (const SeenEventPtr& expected : reference.events) {
    if (!Matches(observer.filter, expected->event)) continue;
    if (seen == observer.events.size()) {
      out->missing.push_back(
          absl::StrCat(observer.name, " has not seen ", Describe(expected->event)));
      return;
    }
    const SeenEvent& other = *observer.events[seen++];
    if (other.bytes == expected->bytes) continue;
    // Where one of the two went wrong; what follows would only repeat it.
    out->wrong.push_back(absl::StrCat(observer.name, " saw ", Describe(other.event),
                                      " as its event ", seen, " where ", reference.name, " saw ",
                                      Describe(expected->event)));
    return;
  }
  if (seen < observer.events.size()) {
    // The reference may be the one that is behind.
    out->missing.push_back(absl::StrCat(reference.name, " has not seen ",
                                        Describe(observer.events[seen]->event), ", which ",
                                        observer.name, " has"));
  }
}

void JudgeWatch(const Truth& truth, const WatchObservation& watch, Verdict* out) {
  const std::string name = absl::StrCat("a watch of session ", watch.session_id);
  const auto found = truth.sessions.find(watch.session_id);
  const v1::SessionStatus status =
      found == truth.sessions.end() ? v1::SESSION_STATUS_UNSPECIFIED : found->second.status;
  bool ended = false;
  for (const WatchCall& call : watch.calls) {
    v1::SessionStatus last = v1::SESSION_STATUS_UNSPECIFIED;
    int unexplained = 0;  // failed payments of which the webhook gave no reason
    for (size_t i = 0; i < call.steps.size(); ++i) {
      const v1::SessionStatus now = call.steps[i].session().status();
      const bool unnamed = i > 0 && now == last && !IsFinal(now) && found != truth.sessions.end() &&
                           ++unexplained <= found->second.declines;
      const bool attempt = i > 0 && (unnamed || !call.steps[i].failure_reason().empty());
      if (IsFinal(last)) out->wrong.push_back(absl::StrCat(name, " went on after ", Name(last)));
      if (attempt ? now != last : now <= last) {
        out->wrong.push_back(absl::StrCat(name, " went from ", Name(last), " to ", Name(now)));
      }
      last = now;
    }
    if (IsFinal(last) && last != status) {
      out->wrong.push_back(absl::StrCat(name, " showed ", Name(last), ", true is ", Name(status)));
    }
    if (call.ended_ok && !IsFinal(last)) {
      out->wrong.push_back(absl::StrCat(name, " ended with OK at ", Name(last)));
    }
    ended = ended || call.ended_ok;
  }
  if (IsFinal(status) && !ended) {
    out->missing.push_back(absl::StrCat(name, " has not ended, true is ", Name(status)));
  }
}

void JudgeCreates(const Truth& truth, const Ledger& ledger, Verdict* out) {
  std::map<std::string, std::vector<std::string>> made;  // by reference
  for (const auto& [id, session] : truth.sessions) made[session.reference].push_back(id);
  for (const auto& [reference, ids] : made) {
    if (ids.size() > 1) {
      out->wrong.push_back(
          absl::StrCat("the create of ", reference, " made ", ids.size(), " sessions"));
    }
  }
  for (const CreateCall& create : ledger.creates) {
    const auto found = made.find(create.reference);
    if (create.denied && found != made.end()) {
      out->wrong.push_back(absl::StrCat("the create of ", create.reference, " was denied (",
                                        create.error, ") and yet made ", found->second.front()));
    }
    if (!create.session_id.empty() &&
        (found == made.end() || found->second.front() != create.session_id)) {
      out->wrong.push_back(absl::StrCat("the create of ", create.reference, " was answered with ",
                                        create.session_id, ", which it did not make"));
    }
  }
}

Verdict Judge(const History& history) {
  Verdict verdict;
  if (history.observers.empty()) {
    verdict.wrong.emplace_back("nobody observed");
    return verdict;
  }
  const Observation& reference = history.observers.front();
  Ledger ledger = history.ledger;
  ledger.acknowledged = KnownSessions(history);
  JudgeLog(history.truth, ledger, reference, &verdict);
  for (const Observation& observer : history.observers) {
    JudgeObserver(reference, observer, &verdict);
  }
  for (const WatchObservation& watch : history.watches) JudgeWatch(history.truth, watch, &verdict);
  JudgeCreates(history.truth, ledger, &verdict);
  return verdict;
}

Tally Count(const History& history) {
  Tally tally;
  const std::set<std::string> known = KnownSessions(history);
  for (const auto& [id, session] : history.truth.sessions) {
    ++tally.sessions;
    if (known.count(id) == 0) ++tally.unknown;
    if (known.count(id) > 0 && IsFinal(session.status)) ++tally.ended;
  }
  if (history.observers.empty()) return tally;
  for (const SeenEventPtr& seen : history.observers.front().events) {
    ++tally.events;
    if (seen->event.source() == v1::SESSION_EVENT_SOURCE_RECONCILIATION) ++tally.reconciled;
  }
  return tally;
}

}  // namespace ipp::faults
