#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

// The ends of the event log, and the breaks in its history.
//
// A log that is restored from a backup, or whose database lost commits in a failover, goes on from
// an earlier position: what was at the positions after it is gone, and other events take their
// numbers. Each such break begins an epoch. A reader that had read up to position p in one epoch
// may go on in a later one only if p is not after any place where a later epoch began.
namespace ipp::store {

struct LogEpoch {
  int64_t sequence = 0;  // 0, 1, 2 …; grows, not without gaps
  // What cursors carry. Random but for the first epoch's, which is 0: when one backup is restored
  // twice, the epoch after the second time is another one than that after the first.
  uint16_t label = 0;
  // The history up to here is that of the epoch before; 0 for the first epoch.
  int64_t starts_after = 0;

  bool operator==(const LogEpoch&) const = default;
};

// More epochs than these are not kept: cursors of older ones are foreign. It bounds what a process
// that is started again and again with --restored leaves behind.
inline constexpr size_t kMaxEpochs = 1000;

// `oldest` is the first position that is kept (latest + 1 when none is).
struct LogBounds {
  int64_t oldest = 1;
  int64_t latest = 0;
  // In their order. Empty: there is one only, the first.
  std::vector<LogEpoch> epochs = {};
  // After a restore, creates that may have been sent before are held until then.
  absl::Time creates_held_until = absl::InfinitePast();

  LogEpoch epoch() const { return epochs.empty() ? LogEpoch() : epochs.back(); }
};

// The last position up to which the log is what a reader saw in the epoch `label`: the largest
// number there is for the epoch of now, -1 for one that the log has not had.
int64_t SharedThrough(const LogBounds& bounds, uint16_t label);

// The last position up to which the history of `now` may still be that of `known`, when `now` lacks
// events or epochs that `known` has: they were lost. Absent: nothing is missing. `known` must have
// been taken before `now` was read.
std::optional<int64_t> LostAfter(const LogBounds& known, const LogBounds& now);

// A break in the history.
struct NewEpoch {
  // What is kept of it; absent, or beyond the end: all that is in the log.
  std::optional<int64_t> starts_after = std::nullopt;
  int64_t after_sequence = 0;  // its sequence is larger than this
  // After a restore: creates are held until then, and every open session is due to be read at
  // `sessions_due`.
  std::optional<absl::Time> hold_creates_until = std::nullopt;
  absl::Time sessions_due = absl::InfiniteFuture();
};

// "0:0:0,1:4711:90": how the databases give all epochs in one value. DATA_LOSS for anything else.
absl::StatusOr<std::vector<LogEpoch>> ParseEpochs(absl::string_view text);

// A label that none of them bears.
uint16_t UnusedLabel(const std::vector<LogEpoch>& epochs);

}  // namespace ipp::store
