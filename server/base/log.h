#pragma once

#include <initializer_list>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

// Structured logs on stderr, one line per entry: time, level, message, fields. As text the fields
// are key=value pairs; as JSON a line is one object with the keys `time`, `level`, `message` and
// then the fields, whose values are all strings. A call writes its line itself, unless there is a
// thread for it (base/log_thread.h).
// Thread-safe. Never pass a secret (API key, token, webhook secret, enrollment code) to any of
// these functions.
namespace ipp {

enum class LogLevel { kDebug, kInfo, kWarning, kError, kOff };

// A key is never `time`, `level` or `message`, and appears once.
using LogFields = std::initializer_list<std::pair<absl::string_view, std::string>>;

// `level`: debug, info, warning, error, off. May be called at any time.
absl::Status SetLogLevel(absl::string_view level);

// `format`: text, json. Call it before StartLogThread, while there is one thread only.
absl::Status SetLogFormat(absl::string_view format);

void Log(LogLevel level, absl::string_view message, LogFields fields = {});
inline void LogDebug(absl::string_view m, LogFields f = {}) { Log(LogLevel::kDebug, m, f); }
inline void LogInfo(absl::string_view m, LogFields f = {}) { Log(LogLevel::kInfo, m, f); }
inline void LogWarning(absl::string_view m, LogFields f = {}) { Log(LogLevel::kWarning, m, f); }
inline void LogError(absl::string_view m, LogFields f = {}) { Log(LogLevel::kError, m, f); }

// Whether a message of that level is written. Ask before building a message that is costly to make.
bool LogEnabled(LogLevel level);

// An audit line (who changed what): it has "audit" in place of the level and is written at every
// log level. As JSON its message is "audit".
void LogAudit(LogFields fields);

// A line for stdout, without its line break. As text `message key=value …`, for scripts that wait
// for it; as JSON the same object as in the log, so that everything a container prints is JSON.
std::string StdoutLine(absl::string_view message, LogFields fields);

}  // namespace ipp
