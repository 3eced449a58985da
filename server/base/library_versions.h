#pragma once

#include <string>

#include "absl/strings/string_view.h"

// What no single spelling says to every version of a library that the gateway is built with. The
// only file that asks for a version; where the compiler can tell by itself whether a function is
// there, `requires` beside the use does it. Protobuf 3.21 and gRPC 1.51 (Debian 12 and 13) have
// logs of their own; later ones (Protobuf 22, gRPC 1.65) log through Abseil.
#if __has_include(<google/protobuf/stubs/logging.h>)
#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>
#else
#include "absl/base/log_severity.h"
#include "absl/log/globals.h"
#include "absl/log/initialize.h"
#include "absl/log/log_entry.h"
#include "absl/log/log_sink.h"
#include "absl/log/log_sink_registry.h"
#endif

namespace ipp {

// Takes one line that a library logs, on any thread. `library`: "gRPC" or "Protobuf".
using LibraryLog = void (*)(absl::string_view library, bool error, absl::string_view text,
                            absl::string_view file, int line);

#if __has_include(<google/protobuf/stubs/logging.h>)

// Sends all lines of gRPC and Protobuf to `log`. Once in a process.
template <LibraryLog log>
void TakeLibraryLogs() {
  gpr_set_log_function([](gpr_log_func_args* said) {
    log("gRPC", said->severity == GPR_LOG_SEVERITY_ERROR, said->message, said->file, said->line);
  });
  google::protobuf::SetLogHandler(
      [](google::protobuf::LogLevel level, const char* file, int line, const std::string& text) {
        log("Protobuf", level >= google::protobuf::LOGLEVEL_ERROR, text, file, line);
      });
}

// Drops all lines of gRPC.
inline void DropGrpcLog() {
  gpr_set_log_function([](gpr_log_func_args*) {});
}

// Protobuf writes no line to standard error while one of these lives.
using QuietProtobuf = google::protobuf::LogSilencer;

#else

namespace library_versions_internal {

// Until Abseil's log is initialized, it writes every line to standard error; twice is an error.
inline void InitializeOnce() {
  [[maybe_unused]] static const bool once = [] {
    absl::InitializeLog();
    return true;
  }();
}

template <LibraryLog log>
class Sink final : public absl::LogSink {
 public:
  void Send(const absl::LogEntry& entry) override {
    const absl::string_view file = entry.source_filename();
    log(file.find("google/protobuf") == absl::string_view::npos ? "gRPC" : "Protobuf",
        entry.log_severity() >= absl::LogSeverity::kError, entry.text_message(), file,
        entry.source_line());
  }
};

}  // namespace library_versions_internal

template <LibraryLog log>
void TakeLibraryLogs() {
  library_versions_internal::InitializeOnce();
  // The reason for an abort still goes to standard error: it may be the last that is written.
  absl::SetStderrThreshold(absl::LogSeverityAtLeast::kFatal);
  // Never destroyed, since the libraries may log until the process ends.
  absl::AddLogSink(new library_versions_internal::Sink<log>);
}

inline void DropGrpcLog() {
  library_versions_internal::InitializeOnce();
  absl::SetStderrThreshold(absl::LogSeverityAtLeast::kFatal);
}

class QuietProtobuf {
 public:
  QuietProtobuf() { library_versions_internal::InitializeOnce(); }
  ~QuietProtobuf() = default;
  QuietProtobuf(const QuietProtobuf&) = delete;
  QuietProtobuf& operator=(const QuietProtobuf&) = delete;

 private:
  absl::ScopedStderrThreshold threshold_{absl::LogSeverityAtLeast::kFatal};
};

#endif

}  // namespace ipp
