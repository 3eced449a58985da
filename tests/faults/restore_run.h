#pragma once

#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "kustom/ipp/v1/session.pb.h"
#include "tests/faults/changes.h"
#include "tests/faults/creates/caller.h"
#include "tests/faults/database.h"
#include "tests/faults/gateway_process.h"
#include "tests/faults/history.h"
#include "tests/faults/options.h"
#include "tests/faults/simulator_process.h"
#include "tests/faults/work_directory.h"

namespace ipp::faults {

// Takes backups of a gateway's store, lets the gateway go on, kills it, restores the backup and
// starts it with --restored. Then it asks every create again and holds the answers, the log and
// every cursor that the gateway has ever given out against the truth of the simulator:
//
// - each request_id made one session, and its answer names that session;
// - each session that has ended has one terminal event, the right one;
// - a cursor of the log that was lost is CURSOR_FOREIGN from then on, in this round and in all
//   later ones, also when the log has grown past it; a cursor that the backup holds resumes.
//
// One gateway, one simulator, for all rounds. The main thread only.
class RestoreRun {
 public:
  explicit RestoreRun(const RunOptions& options) : options_(options), random_(options.seed) {}

  absl::Status Start();
  absl::Status Round();
  // Whether the creates of at least one round could be judged.
  bool Judged() const { return slow_rounds_ < rounds_; }
  // What the rounds have seen so far, for a person.
  std::string Summary() const;
  // Leaves the directory in place; its path.
  const std::string& Keep();

 private:
  struct Create {
    kustom::ipp::v1::CreateSessionRequest request;
    std::string session_id;
    bool in_backup = false;  // of this round
  };

  // This round's creates are not judged.
  void Forget();
  absl::Status MakeCreates(size_t count, bool in_backup);
  // Ends a session, now and then by its expiry, of which no webhook tells.
  absl::Status End(const std::string& session_id);
  absl::Status EndWithWebhook(const std::string& session_id);
  absl::Status BackUp();
  absl::Status RestoreAndStart();
  // Finds the cursors of this log that the restored one does not have.
  absl::Status FindLost(const std::vector<SeenEventPtr>& before);
  // The same create by another spelling of its id. False: it is held.
  absl::StatusOr<bool> AskAgain(const Create& create);
  absl::Status AskAllAgain();
  absl::Status CheckThatNewOnesAreHeld();
  absl::Status CheckSessions();
  absl::Status CheckCursors();
  // Subscribes after the cursor: the first event that comes, or the reason of the error.
  absl::Status Resume(const std::string& cursor, std::string* reason,
                      std::vector<std::string>* next_events);
  absl::Status Until(const std::string& what, absl::FunctionRef<bool()> is_so);
  absl::StatusOr<std::vector<SeenEventPtr>> Log();

  const RunOptions options_;
  std::mt19937_64 random_;
  WorkDirectory directory_;
  std::unique_ptr<SimulatorProcess> simulator_;
  std::unique_ptr<Database> database_;  // nullptr: SQLite
  std::unique_ptr<GatewayProcess> gateway_;
  std::unique_ptr<SimulatorControl> control_;
  std::unique_ptr<Caller> caller_;

  std::vector<Create> creates_;     // of the round
  std::vector<Create> earlier_;     // of the rounds before
  std::string backup_;              // a file
  std::vector<SeenEventPtr> kept_;  // of the log, when the backup was taken: it has them
  std::set<std::string> lost_;      // cursors of events that a restore took away
  absl::Time held_from_;
  std::set<std::string> not_judged_;  // references
  int rounds_ = 0;
  int slow_rounds_ = 0;
  int replayed_ = 0;
  int held_ = 0;
  int foreign_ = 0;
  int resumed_ = 0;
};

}  // namespace ipp::faults
