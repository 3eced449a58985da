#include "tests/rpc/page_token_check.h"

#include <cstdint>
#include <cstring>
#include <limits>
#include <string>

#include "absl/status/statusor.h"
#include "kustom/ipp/v1/device.pb.h"
#include "kustom/ipp/v1/enrollment.pb.h"
#include "server/base/error.h"
#include "server/base/library_versions.h"
#include "server/rpc/page_token.h"
#include "tests/support/require.h"

namespace ipp::rpc {
namespace {

namespace v1 = kustom::ipp::v1;

constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
constexpr char kScope[] = "PM1";
constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void RequireRefused(const google::protobuf::Message& request, absl::string_view scope,
                    int64_t largest, const char* what) {
  const absl::StatusOr<int64_t> number = DecodePageToken(request, scope, largest);
  Require(number.status().code() == absl::StatusCode::kInvalidArgument, what);
}

void CheckText(absl::string_view text) {
  v1::ListDevicesRequest request;
  request.set_page_token(std::string(text));
  const absl::StatusOr<int64_t> number = DecodePageToken(request, kScope, 1000);
  if (!number.ok()) {
    const ErrorDetail detail = GetErrorDetail(number.status());
    return Require(detail.violations.size() == 1 && detail.violations[0].field == "page_token",
                   "the field is not named");
  }
  Require(*number >= 0 && *number <= 1000, "a number that nobody gave out", text);
  Require(text.empty() ? *number == 0 : EncodePageToken(request, kScope, *number) == text,
          "another spelling of a token", text);
}

// Refused is the token of `request` in one case of these, which `which` chooses.
void CheckElsewhere(v1::ListDevicesRequest request, int64_t number, unsigned char which) {
  switch (which % 8) {
    case 0:
      if (number == 0) return;
      return RequireRefused(request, kScope, number - 1, "beyond the largest");
    case 1:
      return RequireRefused(request, "PM2", kMost, "of another scope");
    case 2:
      request.set_page_size(request.page_size() ^ 1);
      break;
    case 3:
      request.set_location_id(request.location_id() + "0");
      break;
    case 4:
      (*request.mutable_metadata())["k"] += "v";
      break;
    case 5:
      if (request.metadata().empty()) return;
      request.mutable_metadata()->erase(request.metadata().begin()->first);
      break;
    case 6: {
      v1::ListEnrollmentsRequest same;  // bytes
      if (same.ParseFromString(request.SerializeAsString())) {
        RequireRefused(same, kScope, kMost, "of another list");
      }
      return;
    }
    default:
      return;
  }
  RequireRefused(request, kScope, kMost, "of another request");
}

void CheckBound(v1::ListDevicesRequest request, int64_t number, unsigned char which,
                unsigned char typed) {
  const std::string token = EncodePageToken(request, kScope, number);
  request.set_page_token(token);
  const absl::StatusOr<int64_t> back = DecodePageToken(request, kScope, kMost);
  Require(back.ok() && *back == number, "another number came back", token);
  if (typed >= 128) return CheckElsewhere(request, number, which);
  std::string mistyped = token;
  mistyped[which % mistyped.size()] = kAlphabet[typed % 64];
  if (mistyped == token) return;
  request.set_page_token(mistyped);
  RequireRefused(request, kScope, kMost, "mistyped");
}

}  // namespace

void CheckPageToken(absl::string_view bytes) {
  if (bytes.empty() || bytes.front() != '\0') return CheckText(bytes);
  if (bytes.size() < 10) return;
  uint64_t number = 0;
  std::memcpy(&number, bytes.data() + 1, 7);
  const auto which = static_cast<unsigned char>(bytes[8]);
  const auto typed = static_cast<unsigned char>(bytes[9]);
  v1::ListDevicesRequest request;
  {
    QuietProtobuf quiet;  // about text that is not UTF-8
    if (!request.ParseFromString(std::string(bytes.substr(10)))) return;
  }
  CheckBound(request, static_cast<int64_t>(number), which, typed);
}

}  // namespace ipp::rpc
