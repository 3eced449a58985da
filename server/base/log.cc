#include "server/base/log.h"

#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <unistd.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "server/base/json_text.h"
#include "server/base/log_thread.h"

namespace ipp {
namespace {

// Gives the formatted lines to the thread.
class QueueSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  QueueSink(LogQueue* queue, LogQueue::Kind kind) : queue_(queue), kind_(kind) {}

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    queue_->Push(kind_, std::string(line.data(), line.size()));
  }
  void flush_() override {}

  LogQueue* const queue_;
  const LogQueue::Kind kind_;
};

enum class Format { kText, kJson };

struct Loggers {
  spdlog::logger lines{"ipp"};
  spdlog::logger audit{"ipp"};  // has no level, so it cannot be turned off
  LogQueue* queue = nullptr;    // null: each call writes its line itself
  Format format = Format::kText;

  Loggers() {
    lines.sinks() = {std::make_shared<spdlog::sinks::stderr_sink_mt>()};
    audit.sinks() = {std::make_shared<spdlog::sinks::stderr_sink_mt>()};
    SetPatterns();
  }
  // Must be called again when the sinks or the format have changed.
  void SetPatterns() {
    for (const auto& [logger, level] : {std::pair{&lines, "%l"}, {&audit, "audit"}}) {
      constexpr char kTime[] = "%Y-%m-%dT%H:%M:%S.%eZ";
      logger->set_pattern(
          format == Format::kJson
              ? absl::StrCat(R"({"time":")", kTime, R"(","level":")", level, R"(",%v})")
              : absl::StrCat(kTime, " ", level, " %v"),
          spdlog::pattern_time_type::utc);
    }
  }
};

// Never destroyed: threads that outlive main may log.
Loggers& All() {
  static Loggers& loggers = *new Loggers;
  return loggers;
}
spdlog::logger& Logger() { return All().lines; }

// What CHexEscape() leaves as it is.
bool IsPlain(char c) {
  return absl::ascii_isprint(static_cast<unsigned char>(c)) && c != '"' && c != '\'' && c != '\\';
}

// Quoted where needed, so that a value can neither end the line nor look like another key.
void AppendTextValue(absl::string_view value, std::string* body) {
  if (value.empty() || !std::all_of(value.begin(), value.end(), IsPlain)) {
    absl::StrAppend(body, "\"", absl::CHexEscape(value), "\"");
  } else if (absl::StrContains(value, ' ')) {
    absl::StrAppend(body, "\"", value, "\"");
  } else {
    body->append(value.data(), value.size());
  }
}

// The part of a line that follows time and level.
std::string TextBody(absl::string_view message, LogFields fields) {
  // A message that comes from outside must not begin a new entry.
  const bool control = std::any_of(message.begin(), message.end(), absl::ascii_iscntrl);
  std::string body = control ? absl::CHexEscape(message) : std::string(message);
  for (const auto& [key, value] : fields) {
    absl::StrAppend(&body, body.empty() ? "" : " ", key, "=");
    AppendTextValue(value, &body);
  }
  return body;
}

std::string JsonBody(absl::string_view message, LogFields fields) {
  std::string body = "\"message\":";
  AppendJsonString(message, &body);
  for (const auto& [key, value] : fields) {
    absl::StrAppend(&body, ",");
    AppendJsonString(key, &body);
    absl::StrAppend(&body, ":");
    AppendJsonString(value, &body);
  }
  return body;
}

std::string Body(absl::string_view message, LogFields fields) {
  return All().format == Format::kJson ? JsonBody(message, fields) : TextBody(message, fields);
}

// A line that does not pass through a logger, without its line break.
std::string WholeLine(absl::string_view level, absl::string_view message, LogFields fields) {
  const std::string time =
      absl::FormatTime("%Y-%m-%d%ET%H:%M:%E3SZ", absl::Now(), absl::UTCTimeZone());
  if (All().format == Format::kText) {
    return absl::StrCat(time, " ", level, " ", TextBody(message, fields));
  }
  return absl::StrCat(R"({"time":")", time, R"(","level":")", level, R"(",)",
                      JsonBody(message, fields), "}");
}

std::string LossLine(int64_t lines, int64_t audit_lines) {
  return absl::StrCat(
      WholeLine("warning", "log lines were lost: the log was not read, or could not be written",
                {{"lines", absl::StrCat(lines)}, {"audit_lines", absl::StrCat(audit_lines)}}),
      "\n");
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

absl::Status SetLogFormat(absl::string_view format) {
  if (format != "text" && format != "json") {
    return absl::InvalidArgumentError(
        absl::StrCat("log format '", format, "' is none of text, json"));
  }
  All().format = format == "json" ? Format::kJson : Format::kText;
  All().SetPatterns();
  return absl::OkStatus();
}

void Log(LogLevel level, absl::string_view message, LogFields fields) {
  if (!Logger().should_log(ToSpdlog(level))) return;
  Logger().log(ToSpdlog(level), "{}", Body(message, fields));
}

bool LogEnabled(LogLevel level) { return Logger().should_log(ToSpdlog(level)); }

void LogAudit(LogFields fields) {
  const absl::string_view message = All().format == Format::kJson ? "audit" : "";
  All().audit.info("{}", Body(message, fields));
}

std::string StdoutLine(absl::string_view message, LogFields fields) {
  return All().format == Format::kJson ? WholeLine("info", message, fields)
                                       : TextBody(message, fields);
}

void StartLogThread() {
  Loggers& loggers = All();
  if (loggers.queue != nullptr) return;
  loggers.queue = new LogQueue(STDERR_FILENO, &LossLine);
  loggers.lines.sinks() = {std::make_shared<QueueSink>(loggers.queue, LogQueue::Kind::kLine)};
  loggers.audit.sinks() = {std::make_shared<QueueSink>(loggers.queue, LogQueue::Kind::kAudit)};
  loggers.SetPatterns();
}

void FlushLog(absl::Duration limit) {
  if (LogQueue* queue = All().queue) queue->Flush(limit);
}

LogQueue::State LogState() {
  const LogQueue* queue = All().queue;
  return queue == nullptr ? LogQueue::State() : queue->state();
}

}  // namespace ipp
