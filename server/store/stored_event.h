#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "kustom/ipp/v1/session_event.pb.h"

namespace ipp::store {

using SessionKey = std::pair<std::string, std::string>;  // merchant, session

// A row of the log. `payload` is the serialized SessionEvent with `recorded_at` and without
// `cursor`. A reader may append the bytes of the cursor field to it, because protobuf merges
// concatenated messages.
struct StoredEvent {
  int64_t position = 0;  // 1, 2, 3 … without gaps, in commit order
  absl::Time recorded_at;
  std::string payload;
  // Copies of fields, for filters.
  std::string merchant_id;
  std::string session_id;
  std::string device_id;
  kustom::ipp::v1::SessionEventType type = kustom::ipp::v1::SESSION_EVENT_TYPE_UNSPECIFIED;
  std::string merchant_reference1;
};

}  // namespace ipp::store
