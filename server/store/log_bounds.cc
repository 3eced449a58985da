#include "server/store/log_bounds.h"

#include <algorithm>
#include <limits>

#include "absl/random/random.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"

namespace ipp::store {

int64_t SharedThrough(const LogBounds& bounds, uint16_t label) {
  int64_t through = std::numeric_limits<int64_t>::max();
  if (bounds.epochs.empty()) return label == 0 ? through : -1;
  for (auto epoch = bounds.epochs.rbegin(); epoch != bounds.epochs.rend(); ++epoch) {
    if (epoch->label == label) return through;
    through = std::min(through, epoch->starts_after);
  }
  return -1;
}

std::optional<int64_t> LostAfter(const LogBounds& known, const LogBounds& now) {
  std::optional<int64_t> after;
  if (now.latest < known.latest) after = now.latest;
  const auto there = [&now](const LogEpoch& epoch) {
    if (now.epochs.empty()) return epoch == LogEpoch();
    // Older than the oldest epoch that is kept: it was deleted for its age (kMaxEpochs), not lost.
    return epoch.sequence < now.epochs.front().sequence ||
           std::find(now.epochs.begin(), now.epochs.end(), epoch) != now.epochs.end();
  };
  for (const LogEpoch& epoch : known.epochs) {
    if (!there(epoch)) after = std::min(after.value_or(now.latest), epoch.starts_after);
  }
  // Another replica has found the loss and begun an epoch for it.
  for (const LogEpoch& epoch : now.epochs) {
    if (epoch.sequence > known.epoch().sequence && after && epoch.starts_after <= *after) {
      return std::nullopt;
    }
  }
  return after;
}

absl::StatusOr<std::vector<LogEpoch>> ParseEpochs(absl::string_view text) {
  std::vector<LogEpoch> epochs;
  for (const absl::string_view one : absl::StrSplit(text, ',')) {
    const std::vector<absl::string_view> parts = absl::StrSplit(one, ':');
    LogEpoch epoch;
    uint32_t label = 0;
    if (parts.size() != 3 || !absl::SimpleAtoi(parts[0], &epoch.sequence) ||
        !absl::SimpleAtoi(parts[1], &label) || label > std::numeric_limits<uint16_t>::max() ||
        !absl::SimpleAtoi(parts[2], &epoch.starts_after)) {
      return absl::DataLossError("the epochs of the log cannot be read");
    }
    epoch.label = static_cast<uint16_t>(label);
    epochs.push_back(epoch);
  }
  return epochs;
}

uint16_t UnusedLabel(const std::vector<LogEpoch>& epochs) {
  thread_local absl::BitGen random;
  while (true) {
    const auto label = absl::Uniform<uint16_t>(absl::IntervalClosed, random, 1, 0xffff);
    const bool used = std::any_of(epochs.begin(), epochs.end(),
                                  [label](const LogEpoch& e) { return e.label == label; });
    if (!used) return label;
  }
}

}  // namespace ipp::store
