#include "server/base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace ipp {
namespace {

std::shared_ptr<spdlog::logger> MakeLogger(const char* level) {
  auto made =
      std::make_shared<spdlog::logger>("ipp", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  made->set_pattern(absl::StrCat("%Y-%m-%dT%H:%M:%S.%eZ ", level, " %v"),
                    spdlog::pattern_time_type::utc);
  return made;
}

spdlog::logger& Logger() {
  static const std::shared_ptr<spdlog::logger> logger = MakeLogger("%l");
  return *logger;
}

// The audit logger has no level, so it cannot be turned off.
spdlog::logger& AuditLogger() {
  static const std::shared_ptr<spdlog::logger> logger = MakeLogger("audit");
  return *logger;
}

void Append(LogFields fields, std::string* line) {
  for (const auto& [key, value] : fields) {
    // Quoted where needed, so that a value can neither end the line nor look like another key.
    const std::string escaped = absl::CHexEscape(value);
    const bool quote =
        escaped.empty() || escaped != value || escaped.find(' ') != std::string::npos;
    absl::StrAppend(line, line->empty() ? "" : " ", key, "=", quote ? "\"" : "", escaped,
                    quote ? "\"" : "");
  }
}

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
    case LogLevel::kOff:
      return spdlog::level::off;
  }
  return spdlog::level::off;
}

}  // namespace

absl::Status SetLogLevel(absl::string_view level) {
  for (const auto& [name, value] :
       {std::pair<absl::string_view, LogLevel>{"debug", LogLevel::kDebug},
        {"info", LogLevel::kInfo},
        {"warning", LogLevel::kWarning},
        {"error", LogLevel::kError},
        {"off", LogLevel::kOff}}) {
    if (name == level) {
      Logger().set_level(ToSpdlog(value));
      return absl::OkStatus();
    }
  }
  return absl::InvalidArgumentError(
      absl::StrCat("log level '", level, "' is none of debug, info, warning, error, off"));
}

void Log(LogLevel level, absl::string_view message, LogFields fields) {
  if (!Logger().should_log(ToSpdlog(level))) return;
  // Neither may a message that comes from outside begin a new entry.
  const bool control = std::any_of(message.begin(), message.end(), absl::ascii_iscntrl);
  std::string line = control ? absl::CHexEscape(message) : std::string(message);
  Append(fields, &line);
  Logger().log(ToSpdlog(level), "{}", line);
}

bool LogEnabled(LogLevel level) { return Logger().should_log(ToSpdlog(level)); }

void LogAudit(LogFields fields) {
  std::string line;
  Append(fields, &line);
  AuditLogger().info("{}", line);
}

}  // namespace ipp
