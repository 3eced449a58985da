#pragma once

#include <array>
#include <cstddef>

#include "google/protobuf/descriptor.h"
#include "server/base/identifiers.h"
#include "server/base/metrics.h"
#include "server/routes/route_table.h"

namespace ipp::upstream {

// The end of an attempt, as a label of the metric.
enum class Ending {
  kOk,
  kRejected,
  kRateLimited,
  kFailed,
  kNoAnswer,
  kNotSent,
  kMalformed,
  kCount
};

// The ending of an answer that is no success.
Ending EndingOf(int http_code);

// The fields with the id of the requested and of the returned resource, for a route whose path
// names one resource and whose answer is one. All null for other routes.
struct Subject {
  const google::protobuf::FieldDescriptor* asked = nullptr;     // of the request
  const google::protobuf::FieldDescriptor* resource = nullptr;  // of the response
  const google::protobuf::FieldDescriptor* id = nullptr;        // of the resource
};

// The data of a route that is created once. Immutable.
struct RouteRow {
  RouteRow(const routes::Route& route, Metrics* metrics);

  void Count(Ending ending) const { endings[static_cast<size_t>(ending)]->Add(); }

  std::array<Counter*, static_cast<size_t>(Ending::kCount)> endings;
  Histogram* seconds;
  Counter* retries;
  Subject subject;
  IdentifierFields identifiers;  // of the response
  std::string span_name;         // "GET /ipp/v1/devices/{device_id}"
};

}  // namespace ipp::upstream
