#pragma once

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/base/metrics.h"
#include "server/config/config.pb.h"
#include "server/store/store.h"

namespace ipp {

// Opens the store that the configuration names. `clock` and `metrics` must outlive it.
absl::StatusOr<std::unique_ptr<store::Store>> OpenStore(const config::Config& config, Clock* clock,
                                                        Metrics* metrics);

// Records that the store was restored from a backup: see `--restored` in --help. Blocks until that
// is durable. Must be called before anything reads the log or accepts a create. `hold_creates`: for
// how long creates under an unknown request_id are held.
absl::Status NoteRestore(store::Store* store, absl::Duration hold_creates);

}  // namespace ipp
