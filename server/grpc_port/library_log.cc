#include "server/grpc_port/library_log.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "server/base/library_versions.h"
#include "server/base/log.h"
#include "server/base/log_rate_limiter.h"

namespace ipp::grpc_port {
namespace {

// Most of what a library calls an error is caused by peers, so it is only a warning here.
LogLevel LevelOf(bool error) { return error ? LogLevel::kWarning : LogLevel::kDebug; }

// The rate limiters are never destroyed, since the libraries may log until the process ends.
void Say(absl::string_view library, bool error, absl::string_view text, absl::string_view file,
         int line) {
  static auto* const of_grpc = new LogRateLimiter(1, 5);
  static auto* const of_protobuf = new LogRateLimiter(1, 5);
  if (!LogEnabled(LevelOf(error))) return;
  if (const auto left_out = (library == "gRPC" ? of_grpc : of_protobuf)->Take()) {
    Log(LevelOf(error), absl::StrCat(library, " says"),
        {{"text", std::string(text)},
         {"at", absl::StrCat(file, ":", line)},
         {"left_out", absl::StrCat(*left_out)}});
  }
}

}  // namespace

void TakeOverLibraryLogs() {
  [[maybe_unused]] static const bool once = [] {
    TakeLibraryLogs<&Say>();
    return true;
  }();
}

}  // namespace ipp::grpc_port
