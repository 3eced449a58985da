#pragma once

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "tests/integration/forbidden_bed.h"

namespace ipp {

// Something that is forbidden to everyone.
struct ForbiddenRow {
  std::string name;
  std::function<std::string(const ForbiddenBed&)> attempt;
  std::string refused;  // how
  // The upstream itself is asked, as the thief, and knows nothing of it (404).
  bool upstream_refuses = false;
};

inline void PrintTo(const ForbiddenRow& row, std::ostream* out) { *out << row.name; }

// By who asks: tokens, permissions, merchants, what belongs to somebody else.
void AddForbiddenCallers(std::vector<ForbiddenRow>* rows);
// By what is sent: ids, sizes, HTTP requests, headers that no client library would send.
void AddForbiddenInputs(std::vector<ForbiddenRow>* rows);

inline constexpr char kDevices[] = "/kustom.ipp.v1.DeviceService/";
inline constexpr char kEnrollments[] = "/kustom.ipp.v1.EnrollmentService/";
inline constexpr char kLocations[] = "/kustom.ipp.v1.LocationService/";
inline constexpr char kOutcomes[] = "/kustom.ipp.v1.OutcomeService/";
inline constexpr char kHistory[] = "/kustom.ipp.v1.SessionHistoryService/";
inline constexpr char kSessions[] = "/kustom.ipp.v1.SessionService/";
inline constexpr char kEvents[] = "/kustom.ipp.v1.SessionEventService/";
inline constexpr char kSimulation[] = "/kustom.ipp.v1.SimulationService/";

inline Metadata Token(const std::string& token) { return {{"authorization", "Bearer " + token}}; }
inline Metadata Thief(const Metadata& more = {}) {
  Metadata all = Token("token-of-thief");
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

template <typename Request>
std::string Bytes(const std::function<void(const ForbiddenBed&, Request*)>& fill,
                  const ForbiddenBed& bed) {
  Request request;
  fill(bed, &request);
  return request.SerializeAsString();
}

// As the thief, who has every permission.
template <typename Request>
ForbiddenRow AsThief(const std::string& name, const std::string& path,
                     std::function<void(const ForbiddenBed&, Request*)> fill,
                     const std::string& refused, bool upstream_refuses = false,
                     absl::Duration timeout = absl::Seconds(30)) {
  return {name,
          [=](const ForbiddenBed& b) {
            return CallRaw(b.channel(), path, Bytes<Request>(fill, b), Thief(), timeout);
          },
          refused, upstream_refuses};
}

}  // namespace ipp
