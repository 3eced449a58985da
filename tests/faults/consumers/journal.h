#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace ipp::faults {

// A delivery as a consumer of a shared subscription got it. Times are of the machine's clock, which
// gateways and databases of a run have too.
struct Delivery {
  std::string consumer;
  std::string event_id;
  std::string session_id;
  std::string lease;
  absl::Time received_at;
  absl::Time expires_at;
  int attempt = 0;
  bool redriven = false;
};

// One settlement that was sent, and its answer.
struct SettleRequest {
  std::string action;  // acknowledge, retry, park, extend, release
  absl::Time sent_at;
  absl::Time answered_at = absl::InfiniteFuture();
  int outcome = 0;  // kustom.ipp.v1.SettlementOutcome; 0: no answer came
  absl::Time expires_at;
};

// What consumers have seen and done.
struct ConsumerHistory {
  std::vector<Delivery> deliveries;
  std::map<std::string, std::vector<SettleRequest>> requests;  // by lease, as they were sent
  std::vector<std::string> complaints;                         // what no fault explains
};

// The file in which one consumer writes down what it sees, each line before it goes on. What was
// written stays when the process is killed. Thread-safe.
class Journal {
 public:
  explicit Journal(const std::string& path);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  void Note(const Delivery& delivery) const;
  void NoteSent(const std::string& lease, const std::string& action) const;
  void NoteAnswer(const std::string& lease, const std::string& action, int outcome,
                  absl::Time expires_at) const;
  void Complain(const std::string& what) const;

 private:
  void Write(const std::string& line) const;

  const int file_;
};

// Adds the lines of a journal. DATA_LOSS: it cannot be understood.
absl::Status ReadJournal(const std::string& text, ConsumerHistory* history);

}  // namespace ipp::faults
