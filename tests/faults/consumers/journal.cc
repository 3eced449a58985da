#include "tests/faults/consumers/journal.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"

namespace ipp::faults {
namespace {

using Fields = std::vector<std::string>;

std::string Micros(absl::Time time) { return absl::StrCat(absl::ToUnixMicros(time)); }

absl::Time TimeOf(const std::string& field) {
  int64_t micros = 0;
  return absl::SimpleAtoi(field, &micros) ? absl::FromUnixMicros(micros) : absl::InfinitePast();
}

int NumberOf(const std::string& field) {
  int number = 0;
  return absl::SimpleAtoi(field, &number) ? number : -1;
}

// The request that this is the answer to: the last one of the action without one.
bool Answer(const Fields& fields, std::vector<SettleRequest>* requests) {
  for (auto request = requests->rbegin(); request != requests->rend(); ++request) {
    if (request->action != fields[3] || request->outcome != 0) continue;
    request->answered_at = TimeOf(fields[1]);
    request->outcome = NumberOf(fields[4]);
    request->expires_at = TimeOf(fields[5]);
    return true;
  }
  return false;
}

bool Add(const Fields& fields, ConsumerHistory* history) {
  if (fields[0] == "delivered" && fields.size() == 9) {
    history->deliveries.push_back({.consumer = fields[2],
                                   .event_id = fields[3],
                                   .session_id = fields[4],
                                   .lease = fields[5],
                                   .received_at = TimeOf(fields[1]),
                                   .expires_at = TimeOf(fields[6]),
                                   .attempt = NumberOf(fields[7]),
                                   .redriven = fields[8] == "1"});
    return true;
  }
  if (fields[0] == "sent" && fields.size() == 4) {
    SettleRequest request;
    request.action = fields[3];
    request.sent_at = TimeOf(fields[1]);
    history->requests[fields[2]].push_back(request);
    return true;
  }
  if (fields[0] == "answer" && fields.size() == 6) {
    return Answer(fields, &history->requests[fields[2]]);
  }
  if (fields[0] == "complaint" && fields.size() == 3) {
    history->complaints.push_back(fields[2]);
    return true;
  }
  return false;
}

}  // namespace

Journal::Journal(const std::string& path)
    : file_(open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) {
  if (file_ < 0) std::abort();
}

Journal::~Journal() { close(file_); }

void Journal::Note(const Delivery& delivery) const {
  Write(absl::StrJoin(
      {std::string("delivered"), Micros(delivery.received_at), delivery.consumer, delivery.event_id,
       delivery.session_id, delivery.lease, Micros(delivery.expires_at),
       absl::StrCat(delivery.attempt), std::string(delivery.redriven ? "1" : "0")},
      "\t"));
}

void Journal::NoteSent(const std::string& lease, const std::string& action) const {
  Write(absl::StrJoin({std::string("sent"), Micros(absl::Now()), lease, action}, "\t"));
}

void Journal::NoteAnswer(const std::string& lease, const std::string& action, int outcome,
                         absl::Time expires_at) const {
  Write(absl::StrJoin({std::string("answer"), Micros(absl::Now()), lease, action,
                       absl::StrCat(outcome), Micros(expires_at)},
                      "\t"));
}

void Journal::Complain(const std::string& what) const {
  const std::string line = absl::StrReplaceAll(what, {{"\n", " "}, {"\t", " "}});
  Write(absl::StrJoin({std::string("complaint"), Micros(absl::Now()), line}, "\t"));
}

// One call: the kernel takes the line whole.
void Journal::Write(const std::string& line) const {
  const std::string text = line + "\n";
  if (write(file_, text.data(), text.size()) != static_cast<ssize_t>(text.size())) std::abort();
}

absl::Status ReadJournal(const std::string& text, ConsumerHistory* history) {
  for (const auto line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    const Fields fields = absl::StrSplit(line, '\t');
    if (!Add(fields, history)) {
      return absl::DataLossError(absl::StrCat("a journal says: ", std::string(line)));
    }
  }
  return absl::OkStatus();
}

}  // namespace ipp::faults
