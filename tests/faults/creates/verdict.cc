#include "tests/faults/creates/verdict.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace ipp::faults {
namespace {

namespace v1 = kustom::ipp::v1;
using Wrong = std::vector<std::string>;

constexpr int64_t kLongestRound = 600;  // seconds

template <typename Predicate>
int CountReads(const TruthOfCreate& truth, const Predicate& counts) {
  return static_cast<int>(std::count_if(truth.reads.begin(), truth.reads.end(), counts));
}

bool Has(const CallerAnswer& answer, Outcome outcome) {
  return answer.made && !answer.gone && answer.error.outcome == outcome;
}

bool IsFinalRefusal(grpc::StatusCode code) {
  return code == grpc::StatusCode::INVALID_ARGUMENT || code == grpc::StatusCode::NOT_FOUND ||
         code == grpc::StatusCode::FAILED_PRECONDITION;
}

// Made by a call after the first one, for its caller.
bool MadeBy(const CallerAnswer& later, const MadeSession& session) {
  return later.ok() && !later.response.replayed() &&
         later.response.session().session_id() == session.session_id;
}

std::string NameOf(v1::CreateState state) { return v1::CreateState_Name(state); }

// What every word of the gateway has to be like.
void JudgeWord(const std::string& who, const RoundRecord& record, const CallerAnswer& answer,
               Wrong* wrong) {
  if (!answer.made || answer.gone) return;
  const auto say = [&](const auto&... words) {
    wrong->push_back(absl::StrCat(who, ": ", words...));
  };
  if (answer.trailer_id.empty() || answer.trailer_id != record.request_id) {
    say("the trailer says x-request-id ", answer.trailer_id, ", not ", record.request_id);
  }
  if (answer.ok()) {
    const v1::Session& session = answer.response.session();
    if (session.merchant_data() != record.sent.merchant_data() ||
        session.merchant_reference2() != record.sent.merchant_reference2()) {
      say("the session's merchant_data or merchant_reference2 is not the caller's");
    }
    return;
  }
  const client::Error& error = answer.error;
  if (error.request_id != record.request_id || error.request_id.empty()) {
    say("the error says request_id ", error.request_id, ", not ", record.request_id);
  }
  // A refusal of the call itself says nothing of the create but what was known of it before.
  if (!error.outcome && error.reason == "REQUEST_ID_REUSED" &&
      error.metadata.count("earlier_outcome") > 0) {
    return;
  }
  if (!error.outcome || *error.outcome == Outcome::kExecuted) {
    return say("the error does not say what happened");
  }
  const bool safe = error.retry_safe.value_or(false);
  if (error.code == grpc::StatusCode::UNAVAILABLE &&
      (*error.outcome != Outcome::kNotSent || !safe)) {
    say("UNAVAILABLE without NOT_SENT and retry_safe");
  }
  if (*error.outcome == Outcome::kUnknown && (safe || error.retry_delay)) {
    say("a retry of what is UNKNOWN is called safe");
  }
}

// An answer to the create itself, held against what there is when it is no longer sent.
void JudgeTruthOf(const std::string& who, const RoundRecord& record, const CallerAnswer& answer,
                  Wrong* wrong) {
  const std::vector<MadeSession>& made = record.truth.sessions;
  if (answer.ok() &&
      (made.size() != 1 || made[0].session_id != answer.response.session().session_id())) {
    wrong->push_back(absl::StrCat(who, ": OK with a session that was not made"));
  }
  if (!Has(answer, Outcome::kNotSent) && !Has(answer, Outcome::kRejected)) return;
  for (const MadeSession& session : record.truth_at_end.sessions) {
    if (MadeBy(record.retry, session) || MadeBy(record.elsewhere, session) ||
        MadeBy(record.first, session)) {
      continue;
    }
    wrong->push_back(
        absl::StrCat(who, ": ", OutcomeName(*answer.error.outcome), ", but a session was made"));
  }
}

void JudgeUnread(const std::string& who, const TruthOfCreate& before, const TruthOfCreate& after,
                 Wrong* wrong) {
  if (after.reads.size() != before.reads.size()) {
    wrong->push_back(absl::StrCat(who, " was sent: ", before.reads.size(), " reads became ",
                                  after.reads.size()));
  }
}

void JudgeToldOfAnswer(const RoundRecord& record, Wrong* wrong) {
  const CallerAnswer& first = record.first;
  if (!first.made || first.gone) return;
  const v1::CreateState told = record.told.state();
  v1::CreateState must = v1::CREATE_STATE_UNKNOWN;
  if (first.ok()) {
    must = v1::CREATE_STATE_EXECUTED;
  } else if (Has(first, Outcome::kNotSent)) {
    must = v1::CREATE_STATE_NOT_SENT;
  } else if (Has(first, Outcome::kRejected)) {
    must = IsFinalRefusal(first.error.code) ? v1::CREATE_STATE_REJECTED : v1::CREATE_STATE_NOT_SENT;
  }
  const bool settled = must == v1::CREATE_STATE_UNKNOWN && told == v1::CREATE_STATE_EXECUTED;
  // What was not done may have been sent meanwhile by who came after.
  const bool taken_over = record.elsewhere.made && must == v1::CREATE_STATE_NOT_SENT;
  if (told != must && !settled && !taken_over) {
    wrong->push_back(absl::StrCat("told: ", NameOf(told), ", must be ", NameOf(must)));
  }
}

// Against the truth of the same moment.
void JudgeTold(const std::string& when, const Cell& cell, const ToldOutcome& told,
               const TruthOfCreate& truth, Wrong* wrong) {
  const auto say = [&](const auto&... words) {
    wrong->push_back(absl::StrCat(when, ": ", words...));
  };
  if (!told.known) {
    if (!truth.reads.empty()) say("a create was read that no outcome tells of");
    return;
  }
  const bool made = !truth.sessions.empty();
  const bool denied =
      told.state() == v1::CREATE_STATE_NOT_SENT || told.state() == v1::CREATE_STATE_REJECTED;
  if (made && denied) say(NameOf(told.state()), ", but a session was made");
  const bool executed = told.state() == v1::CREATE_STATE_EXECUTED;
  if (executed && !made) say("EXECUTED, but no session was made");
  if (executed && made && told.outcome.session_id() != truth.sessions[0].session_id) {
    say("EXECUTED with session ", told.outcome.session_id());
  }
  if (!executed && !told.outcome.session_id().empty()) say("a session_id without EXECUTED");
  const int64_t age = told.outcome.updated_at().seconds() - told.outcome.created_at().seconds();
  if (!cell.clock_steps && (age < 0 || age > kLongestRound))
    say("updated_at is ", age, " s after created_at");
}

bool SameWord(const CallerAnswer& a, const CallerAnswer& b) {
  return a.error.code == b.error.code && a.error.reason == b.error.reason;
}

void JudgeRetry(const RoundRecord& record, Wrong* wrong) {
  const CallerAnswer& retry = record.retry;
  const auto say = [&](const auto&... words) {
    wrong->push_back(absl::StrCat("retry: ", words...));
  };
  if (retry.gone) return say("no word of the gateway");
  const ToldOutcome& settled = record.settled;
  const auto unread = [&] { JudgeUnread("retry", record.truth, record.truth_after_retry, wrong); };
  switch (settled.known ? settled.state() : v1::CREATE_STATE_NOT_SENT) {
    case v1::CREATE_STATE_EXECUTED:
      if (!retry.ok() || !retry.response.replayed() ||
          retry.response.session().session_id() != settled.outcome.session_id()) {
        say("the kept answer was not replayed");
      }
      return unread();
    case v1::CREATE_STATE_NOT_SENT: {
      if (BrokeAgain(record)) return;
      if (!retry.ok()) return say("was not sent, although nothing was done before");
      const auto& made = record.truth_after_retry.sessions;
      if (made.size() != 1 || made[0].session_id != retry.response.session().session_id()) {
        say("OK with a session that was not made");
      }
      // One that had not been begun may have been begun meanwhile, by the caller that had gone.
      if (retry.response.replayed() && settled.known) say("replayed what was not done");
      return;
    }
    case v1::CREATE_STATE_REJECTED:
      if (!Has(retry, Outcome::kRejected) || retry.error.metadata.count("replayed") == 0 ||
          (Has(record.first, Outcome::kRejected) && !SameWord(retry, record.first))) {
        say("the kept refusal was not replayed");
      }
      return unread();
    default:
      if (!Has(retry, Outcome::kUnknown) || retry.error.code != grpc::StatusCode::UNKNOWN ||
          retry.error.reason != "OUTCOME_UNKNOWN") {
        say("must be UNKNOWN again");
      }
      return unread();
  }
}

void JudgeOther(const RoundRecord& record, Wrong* wrong) {
  const CallerAnswer& other = record.other;
  const bool names =
      std::any_of(other.error.violations.begin(), other.error.violations.end(),
                  [](const FieldViolation& row) { return row.field == "order_amount"; });
  if (other.gone || other.error.code != grpc::StatusCode::INVALID_ARGUMENT ||
      other.error.reason != "REQUEST_ID_REUSED" || !names) {
    wrong->push_back("another amount: not refused as REQUEST_ID_REUSED that names order_amount");
  }
  JudgeUnread("another amount", record.truth_after_retry, record.truth_at_end, wrong);
}

}  // namespace

bool ProvenUnprocessed(const Cell& cell, const ReadRequest& read) {
  if (read.executed) return false;
  return read.fault == "refuse_stream" ||
         (read.fault == "goaway" && cell.fault == "goaway/unprocessed");
}

bool GivenBack(const ReadRequest& read) {
  return !read.executed && (read.status == 401 || read.status == 403 || read.status == 429);
}

bool BrokeAgain(const RoundRecord& record) {
  const bool not_done =
      !record.settled.known || record.settled.state() == v1::CREATE_STATE_NOT_SENT;
  return not_done && Has(record.retry, Outcome::kUnknown) &&
         record.truth_after_retry.sessions.empty() &&
         record.told_at_end.state() == v1::CREATE_STATE_UNKNOWN;
}

bool CanSettle(const RoundRecord& record) {
  if (record.first.ok() || record.elsewhere.ok()) return true;
  if (record.told.state() == v1::CREATE_STATE_EXECUTED) return true;
  return std::any_of(record.truth.reads.begin(), record.truth.reads.end(),
                     [](const ReadRequest& read) { return read.executed && !read.word.empty(); });
}

void JudgeReads(const RoundRecord& record, Wrong* wrong) {
  const auto unproven = [&](const ReadRequest& read) {
    return !ProvenUnprocessed(record.cell, read);
  };
  const auto in_doubt = [&](const ReadRequest& read) { return unproven(read) && !GivenBack(read); };
  const int before = record.elsewhere.made ? CountReads(record.truth, in_doubt)
                                           : CountReads(record.truth, unproven);
  if (before > 1) wrong->push_back(absl::StrCat("read ", before, " times before any retry"));
  const int all = CountReads(record.truth_at_end, in_doubt);
  if (all > 1) wrong->push_back(absl::StrCat("read ", all, " times in all"));
  const int executed =
      CountReads(record.truth_at_end, [](const ReadRequest& read) { return read.executed; });
  if (executed > 1) wrong->push_back(absl::StrCat("executed ", executed, " times"));
  for (const TruthOfCreate* truth :
       {&record.truth, &record.truth_after_retry, &record.truth_at_end}) {
    if (truth->sessions.size() > 1) {
      wrong->push_back(absl::StrCat("CHARGED TWICE: ", truth->sessions.size(), " sessions"));
    }
  }
  for (const ReadRequest& read : record.truth_at_end.reads) {
    const bool wanted = record.cell.own_fields != OwnFields::kBoth;
    if (wanted ? read.word != record.request_id || read.word.empty() : !read.word.empty()) {
      wrong->push_back(absl::StrCat("the word that was sent along is ", read.word));
    }
  }
  // Tries after the first may come by way of the other replica.
  const std::string protocol = record.cell.http2 ? "h2" : "http/1.1";
  for (const ReadRequest& read : record.truth.reads) {
    if (read.protocol != protocol && !record.elsewhere.made) {
      wrong->push_back(absl::StrCat("came over ", read.protocol));
    }
  }
}

void JudgeAnswers(const RoundRecord& record, Wrong* wrong) {
  JudgeWord("first", record, record.first, wrong);
  JudgeWord("elsewhere", record, record.elsewhere, wrong);
  JudgeWord("retry", record, record.retry, wrong);
  JudgeWord("another amount", record, record.other, wrong);
  JudgeTruthOf("first", record, record.first, wrong);
  JudgeTruthOf("elsewhere", record, record.elsewhere, wrong);
  const auto sent = [](const CallerAnswer& answer) {
    return answer.ok() && !answer.response.replayed();
  };
  if (sent(record.first) + sent(record.elsewhere) > 1) {
    wrong->push_back("two calls that both say that they have made the session");
  }
  if (record.first.ok() && record.first.response.replayed() && !record.elsewhere.made) {
    wrong->push_back("first: replayed");
  }
  const bool none_processed = CountReads(record.truth, [&](const ReadRequest& read) {
                                return !ProvenUnprocessed(record.cell, read);
                              }) == 0;
  if (record.cell.knows_refusals && none_processed && !record.truth.reads.empty() &&
      record.cell.patience == Patience::kWaits && record.cell.meanwhile == Meanwhile::kNothing &&
      Has(record.first, Outcome::kUnknown)) {
    wrong->push_back("first: UNKNOWN, although the upstream said that it processed nothing");
  }
  // A deadline that passes is another matter: the machine may be slow; those are counted.
  if (record.first.gone && record.cell.patience == Patience::kWaits &&
      record.cell.meanwhile != Meanwhile::kKill &&
      record.first.error.code != grpc::StatusCode::DEADLINE_EXCEEDED) {
    wrong->push_back("first: no word of the gateway");
  }
}

void JudgeOutcomes(const RoundRecord& record, Wrong* wrong) {
  JudgeToldOfAnswer(record, wrong);
  JudgeTold("told", record.cell, record.told, record.truth, wrong);
  JudgeTold("settled", record.cell, record.settled, record.truth, wrong);
  JudgeTold("told at the end", record.cell, record.told_at_end, record.truth_at_end, wrong);
  const v1::CreateState settled = record.settled.state();
  if (record.settled.known && settled == v1::CREATE_STATE_UNDER_WAY &&
      !(record.orphans_found_late && record.cell.meanwhile == Meanwhile::kKill)) {
    wrong->push_back("settled: still UNDER_WAY");
  }
  if (record.truth.sessions.size() == 1 && CanSettle(record) &&
      settled != v1::CREATE_STATE_EXECUTED) {
    wrong->push_back("settled: the session was made and can be told, but it is not EXECUTED");
  }
  if (record.listed.known != record.settled.known || record.listed.state() != settled ||
      record.listed.outcome.session_id() != record.settled.outcome.session_id()) {
    wrong->push_back("ListCreateOutcomes does not say the same as GetCreateOutcome");
  }
  if (record.retry.ok() && record.told_at_end.state() != v1::CREATE_STATE_EXECUTED) {
    wrong->push_back("told at the end: the retry was OK, but it is not EXECUTED");
  }
}

void JudgeRetries(const RoundRecord& record, Wrong* wrong) {
  if (record.request_id.empty()) {
    if (!record.first.gone) wrong->push_back("nobody was told the request_id");
    return;
  }
  if (!record.retry.made || !record.other.made) {
    return wrong->push_back("nobody tried again");
  }
  JudgeRetry(record, wrong);
  JudgeOther(record, wrong);
}

std::vector<std::string> JudgeRound(const RoundRecord& record) {
  Wrong wrong;
  JudgeReads(record, &wrong);
  JudgeAnswers(record, &wrong);
  JudgeOutcomes(record, &wrong);
  JudgeRetries(record, &wrong);
  JudgeSession(record, &wrong);
  return wrong;
}

}  // namespace ipp::faults
