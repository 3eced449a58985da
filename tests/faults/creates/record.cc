#include "tests/faults/creates/record.h"

#include "absl/strings/str_cat.h"
#include "tests/faults/steps.h"

namespace ipp::faults {
namespace {

std::string Describe(const TruthOfCreate& truth) {
  std::string text;
  for (const ReadRequest& read : truth.reads) {
    absl::StrAppend(&text, "\n    read ", read.sequence, " on connection ", read.connection, " (",
                    read.protocol, "), fault ", read.fault, ", executed ", read.executed,
                    ", answered ", read.status, ", session ", read.session_id, ", word ",
                    read.word);
  }
  for (const MadeSession& session : truth.sessions) {
    absl::StrAppend(&text, "\n    session ", session.session_id, " ", session.status, " ",
                    session.order_amount);
  }
  return text.empty() ? " nothing read, nothing made" : text;
}

std::string Describe(const CallerAnswer& answer) {
  if (!answer.made) return " not called";
  std::string text = absl::StrCat(" ", client::CodeName(answer.error.code),
                                  answer.gone ? ", without a word of the gateway: " : "");
  if (answer.ok()) {
    absl::StrAppend(&text, ", session ", answer.response.session().session_id(), ", replayed ",
                    answer.response.replayed());
  } else {
    absl::StrAppend(&text, " ", answer.error.reason, " \"", answer.error.message, "\"");
    for (const auto& [key, value] : answer.error.metadata) {
      absl::StrAppend(&text, " ", key, "=", value);
    }
    for (const FieldViolation& row : answer.error.violations) {
      absl::StrAppend(&text, " !", row.field);
    }
  }
  return absl::StrCat(text, ", trailer ", answer.trailer_id);
}

std::string Describe(const ToldOutcome& told) {
  return told.known ? absl::StrCat(" ", told.outcome.ShortDebugString()) : " not known";
}

}  // namespace

std::string Describe(const RoundRecord& record) {
  std::string text = absl::StrCat(
      Describe(record.cell), "\n  sent: ", record.sent.ShortDebugString(),
      "\n  request_id: ", record.request_id, "\n  first:", Describe(record.first),
      "\n  elsewhere:", Describe(record.elsewhere), "\n  truth:", Describe(record.truth),
      "\n  told:", Describe(record.told), "\n  settled:", Describe(record.settled),
      "\n  listed:", Describe(record.listed), "\n  retry:", Describe(record.retry),
      "\n  truth after it:", Describe(record.truth_after_retry),
      "\n  other amount:", Describe(record.other),
      "\n  truth at the end:", Describe(record.truth_at_end),
      "\n  told at the end:", Describe(record.told_at_end), "\n  events:");
  for (const auto& event : record.events) {
    absl::StrAppend(&text, "\n    ", Name(event.type()), " ", event.event_id(), " source ",
                    event.source(), " request ", event.request_id(), " merchant_data ",
                    event.session().merchant_data(), " merchant_reference2 ",
                    event.session().merchant_reference2());
  }
  absl::StrAppend(
      &text, "\n  watch: ", record.watched ? "asked" : "not asked", ", ended OK ",
      record.watch_ended_ok, ", last ", record.watch_last.ShortDebugString(),
      "\n  GetSession: ", record.read_back ? record.read_back->ShortDebugString() : "not asked",
      "\n  struck ", record.struck, ", reused ", record.was_reused, ", killed under way ",
      record.killed_under_way, "\n");
  return text;
}

}  // namespace ipp::faults
