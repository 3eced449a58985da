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

// What tests take for the truth: every API request that was read to its end, in that order, whether
// or not it was accepted and whether or not its answer arrived. Keys are not kept, only the form in
// which they came. Holds the last kMaxEntries; sequence numbers go on.
class RequestLog {
 public:
  static constexpr size_t kMaxEntries = 50'000;
  static constexpr size_t kMaxKeptBody = 2048;

  // Notes a request; the number is for Finish.
  uint64_t Begin(const Request& request);

  // Notes how it was answered. Does nothing if the entry has gone by now.
  void Finish(uint64_t sequence, AuthorizationForm form, int status, std::string session_id);

  // Entries with a sequence number above `after`, at most `limit`, and how many requests were ever
  // read.
  std::string Render(uint64_t after, size_t limit) const;

  // Forgets the entries and starts again at 1.
  void Clear();

  uint64_t count() const { return next_ - 1; }

 private:
  struct Entry {
    uint64_t sequence = 0;
    int connection = 0;
    std::string method;
    std::string target;
    std::vector<std::pair<std::string_view, std::string>> headers;
    size_t body_length = 0;
    std::string body;
    AuthorizationForm form = AuthorizationForm::kNone;
    int status = 0;  // 0: not answered yet
    std::string session_id;
  };
  static void Render(const Entry& entry, JsonWriter& json);

  std::deque<Entry> entries_;  // without gaps in the numbers
  uint64_t next_ = 1;
};

}  // namespace ipp::simulator
