#include "server/grpc_port/library_log.h"

#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "server/base/log.h"
#include "server/base/log_rate_limiter.h"

namespace ipp::grpc_port {
namespace {

// Most of what a library calls an error is caused by peers, so it is only a warning here.
LogLevel LevelOf(bool error) { return error ? LogLevel::kWarning : LogLevel::kDebug; }

void Say(absl::string_view who, bool error, absl::string_view text, absl::string_view file,
         int line, LogRateLimiter* allowance) {
  if (!LogEnabled(LevelOf(error))) return;
  if (const auto left_out = allowance->Take()) {
    Log(LevelOf(error), absl::StrCat(who, " says"),
        {{"text", std::string(text)},
         {"at", absl::StrCat(file, ":", line)},
         {"left_out", absl::StrCat(*left_out)}});
  }
}

// The rate limiters are never destroyed, since the libraries may log until the process ends.
void GrpcSays(gpr_log_func_args* said) {
  static auto* const allowance = new LogRateLimiter(1, 5);
  Say("gRPC", said->severity == GPR_LOG_SEVERITY_ERROR, said->message, said->file, said->line,
      allowance);
}

void ProtobufSays(google::protobuf::LogLevel level, const char* file, int line,
                  const std::string& text) {
  static auto* const allowance = new LogRateLimiter(1, 5);
  Say("Protobuf", level >= google::protobuf::LOGLEVEL_ERROR, text, file, line, allowance);
}

}  // namespace

void TakeOverLibraryLogs() {
  // Neither setter may run concurrently with itself.
  [[maybe_unused]] static const bool once = [] {
    gpr_set_log_function(&GrpcSays);
    google::protobuf::SetLogHandler(&ProtobufSays);
    return true;
  }();
}

}  // namespace ipp::grpc_port
