#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "simulator/authorization.h"
#include "simulator/http.h"
#include "simulator/json_writer.h"

namespace ipp::simulator {

// The ground truth for tests: every API request that was read completely, in that order, whether or
// not it was accepted and whether or not its answer arrived. API keys are not stored, only the form
// in which they were sent. Holds the last `max_entries`; sequence numbers go on.
class RequestLog {
 public:
  static constexpr size_t kMaxKeptBody = 2048;

  explicit RequestLog(size_t max_entries) : max_entries_(max_entries) {}

  // Notes a request; the number is for Finish.
  uint64_t Begin(const Request& request);

  struct Outcome {
    AuthorizationForm form = AuthorizationForm::kNone;
    bool executed = false;   // the API has handled it, whatever came of that
    int status = 0;          // of the answer; 0: none is sent
    std::string session_id;  // that it made
  };

  // Records the outcome. No-op if the entry was dropped meanwhile.
  void Finish(uint64_t sequence, Outcome outcome);

  // Entries with a sequence number above `after`, at most `limit`; of those with that
  // merchant_reference1 in their body, unless it is null. Also how many requests were ever read,
  // and how many of those kept match.
  std::string Render(uint64_t after, size_t limit, const std::string* reference) const;

  // Forgets the entries and starts again at 1.
  void Clear();

  uint64_t count() const { return next_ - 1; }

 private:
  struct Entry {
    uint64_t sequence = 0;
    int connection = 0;
    std::string_view protocol;
    std::string method;
    std::string target;
    std::vector<std::pair<std::string_view, std::string>> headers;
    size_t body_length = 0;
    std::string body;
    std::string reference;   // merchant_reference1
    std::string_view fault;  // empty: none
    Outcome outcome;
  };
  static void Render(const Entry& entry, JsonWriter& json);

  const size_t max_entries_;
  std::deque<Entry> entries_;  // without gaps in the numbers
  uint64_t next_ = 1;
};

}  // namespace ipp::simulator
