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
#include "absl/strings/str_cat.h"
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

void SetSink(spdlog::logger* logger, spdlog::sink_ptr sink, const char* level) {
  logger->sinks() = {std::move(sink)};
  logger->set_pattern(absl::StrCat("%Y-%m-%dT%H:%M:%S.%eZ ", level, " %v"),
                      spdlog::pattern_time_type::utc);
}

struct Loggers {
  spdlog::logger lines{"ipp"};
  spdlog::logger audit{"ipp"};  // has no level, so it cannot be turned off
  LogQueue* queue = nullptr;    // null: each call writes its line itself

  Loggers() {
    SetSink(&lines, std::make_shared<spdlog::sinks::stderr_sink_mt>(), kLine);
    SetSink(&audit, std::make_shared<spdlog::sinks::stderr_sink_mt>(), kAudit);
  }
  static constexpr char kLine[] = "%l";
  static constexpr char kAudit[] = "audit";
};

// Never destroyed: threads that outlive main may log.
Loggers& All() {
  static Loggers& loggers = *new Loggers;
  return loggers;
}
spdlog::logger& Logger() { return All().lines; }

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
  All().audit.info("{}", line);
}

void StartLogThread() {
  Loggers& loggers = All();
  if (loggers.queue != nullptr) return;
  loggers.queue = new LogQueue(STDERR_FILENO);
  SetSink(&loggers.lines, std::make_shared<QueueSink>(loggers.queue, LogQueue::Kind::kLine),
          Loggers::kLine);
  SetSink(&loggers.audit, std::make_shared<QueueSink>(loggers.queue, LogQueue::Kind::kAudit),
          Loggers::kAudit);
}

void FlushLog(absl::Duration patience) {
  if (LogQueue* queue = All().queue) queue->Flush(patience);
}

LogQueue::State LogState() {
  const LogQueue* queue = All().queue;
  return queue == nullptr ? LogQueue::State() : queue->state();
}

}  // namespace ipp
