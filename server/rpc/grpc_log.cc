#include "server/rpc/grpc_log.h"

#include <grpc/support/log.h>

#include "absl/strings/str_cat.h"
#include "server/base/log.h"
#include "server/base/log_allowance.h"

namespace ipp::rpc {
namespace {

LogLevel LevelOf(gpr_log_severity severity) {
  // Its errors are mostly what peers do.
  return severity == GPR_LOG_SEVERITY_ERROR ? LogLevel::kWarning : LogLevel::kDebug;
}

void Say(gpr_log_func_args* said) {
  if (!LogEnabled(LevelOf(said->severity))) return;
  static auto* const allowance = new LogAllowance(1, 5);  // gRPC speaks to the very end
  if (const auto left_out = allowance->Take()) {
    Log(LevelOf(said->severity), "gRPC says",
        {{"text", said->message},
         {"at", absl::StrCat(said->file, ":", said->line)},
         {"left_out", absl::StrCat(*left_out)}});
  }
}

}  // namespace

void TakeOverGrpcLog() { gpr_set_log_function(&Say); }

}  // namespace ipp::rpc
