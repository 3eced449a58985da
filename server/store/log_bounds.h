#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

// The first and last position of the event log, and the breaks in its history.
//
// When a log is restored from a backup, or its database loses commits in a failover, it continues
// from an earlier position. The events after that position are gone, and new events take their
// numbers. Each such break begins a new epoch. A reader that has read up to position p in one epoch
// may continue in a later epoch only if no later epoch began before p.
namespace ipp::store {

struct LogEpoch {
  int64_t sequence = 0;  // 0, 1, 2 …; increasing, possibly with gaps
  // Part of every cursor. Random, except that the first epoch's is 0: when one backup is restored
  // twice, the two epochs that follow must have different labels.
  uint16_t label = 0;
  // Positions up to this one belong to the epoch before; 0 for the first epoch.
  int64_t starts_after = 0;

  bool operator==(const LogEpoch&) const = default;
};

// Older epochs are deleted; cursors of a deleted epoch are rejected as foreign. This bounds the
// table when a process is restarted again and again with --restored.
inline constexpr size_t kMaxEpochs = 1000;

// `oldest` is the first position that is kept; latest + 1 when the log is empty.
struct LogBounds {
  int64_t oldest = 1;
  int64_t latest = 0;
  // In order of `sequence`. Empty means that there is only the first epoch.
  std::vector<LogEpoch> epochs = {};
  // After a restore: creates that may have been sent before it are held until this time.
  absl::Time creates_held_until = absl::InfinitePast();

  LogEpoch epoch() const { return epochs.empty() ? LogEpoch() : epochs.back(); }
};

// The last position up to which the log is identical with what a reader saw in the epoch `label`:
// the largest int64_t for the current epoch, -1 for a label that the log does not have.
int64_t SharedThrough(const LogBounds& bounds, uint16_t label);

// Detects lost events. `known` was taken from memory before `now` was read from the log. If `now`
// lacks events or epochs that `known` has, returns the last position up to which the two histories
// may still agree. nullopt when nothing is missing, or when another replica has already begun an
// epoch for this loss.
std::optional<int64_t> LostAfter(const LogBounds& known, const LogBounds& now);

// A new epoch to be written (Store::BeginEpoch).
struct NewEpoch {
  // The last position that the new history shares with the old one; absent, or beyond the end: the
  // current end of the log. If it is given, and another replica has begun an epoch there since
  // `after_sequence`, none is begun: both have found the same loss.
  std::optional<int64_t> starts_after = std::nullopt;
  int64_t after_sequence = 0;  // the new epoch's sequence is larger than this
  // After a restore, creates are held until this time, and every open session becomes due to be
  // read at `sessions_due`.
  std::optional<absl::Time> hold_creates_until = std::nullopt;
  absl::Time sessions_due = absl::InfiniteFuture();
};

// Parses "sequence:label:starts_after" entries separated by commas, such as "0:0:0,1:4711:90": the
// form in which the databases return all epochs as one value. DATA_LOSS for anything else.
absl::StatusOr<std::vector<LogEpoch>> ParseEpochs(absl::string_view text);

// A random label that none of `epochs` has.
uint16_t UnusedLabel(const std::vector<LogEpoch>& epochs);

}  // namespace ipp::store
