#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "server/base/mutex.h"
#include "tests/faults/creates/create_bed.h"
#include "tests/faults/creates/matrix_options.h"
#include "tests/faults/creates/matrix_report.h"

namespace ipp::faults {

// All rounds of a run, on several beds side by side, each with a thread of its own.
class MatrixRun {
 public:
  explicit MatrixRun(MatrixOptions options);

  // Until all rounds are done; prints what fails as it does, and the table at the end. False: not
  // all is well.
  bool Run();

 private:
  // One bed through as many rounds as there are for it.
  void Work(int number);
  absl::Status Work(CreateBed* bed);
  bool Next(Cell* cell) ABSL_LOCKS_EXCLUDED(mutex_);
  bool Judge(CreateBed* bed, const RoundRecord& record) ABSL_LOCKS_EXCLUDED(mutex_);
  // After the last round of a bed.
  absl::Status Finish(CreateBed* bed);
  // The creates of gateways that were killed, where that is found late.
  absl::Status AwaitOrphans(CreateBed* bed);
  static absl::Status CheckRemembered(CreateBed* bed);
  void Fail(const std::string& why) ABSL_LOCKS_EXCLUDED(mutex_);

  const MatrixOptions options_;
  const std::vector<MatrixFault> faults_;

  Mutex mutex_;
  int next_ ABSL_GUARDED_BY(mutex_) = 0;
  bool failed_ ABSL_GUARDED_BY(mutex_) = false;
  int told_ ABSL_GUARDED_BY(mutex_) = 0;  // failing rounds that were printed whole
  std::map<std::string, MatrixLine> lines_ ABSL_GUARDED_BY(mutex_);
  // By bed: request_ids that were under way when their gateway died, and have no session.
  std::map<CreateBed*, std::vector<RoundRecord>> orphans_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace ipp::faults
