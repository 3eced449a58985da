#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "server/shared/shared_hub.h"

// The inner parts of SharedHub, for its own files.
namespace ipp::shared {

// A stream that has so much to send gets no more.
inline constexpr size_t kQueuedBytes = size_t{1} << 20;

// A stream's part. Guarded by the hub's lock.
struct SharedHub::Stream {
  struct Out {
    SessionKey session;
    int64_t position = 0;
    absl::Time until;
  };
  struct Queued {
    events::EventPtr event;
    uint64_t lease = 0;
  };

  SpecPtr spec;
  std::string consumer;
  size_t max_in_flight = 1;
  std::map<uint64_t, Out> out;  // by lease
  std::deque<Queued> queue;     // leased, not yet sent
  size_t queued_bytes = 0;
  Later later;          // pending
  absl::Status failed;  // the stream ends with this
  bool closed = false;

  // How many more events it takes.
  int room() const {
    if (closed || !failed.ok() || queued_bytes >= kQueuedBytes) return 0;
    return static_cast<int>(max_in_flight - std::min(max_in_flight, out.size()));
  }
};

// A subscription with streams, or with a claim under way.
struct SharedHub::Line {
  SpecPtr spec;
  std::vector<StreamPtr> streams;
  bool claiming = false;
  bool again = false;  // something happened since the claim under way began
  bool more = false;   // the last claim left something
  bool checking = false;
};

}  // namespace ipp::shared
