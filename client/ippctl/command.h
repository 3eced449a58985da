#pragma once

#include <google/protobuf/message.h>

#include <functional>
#include <istream>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "client/ippctl/column.h"
#include "client/ippctl/flags.h"
#include "client/ippctl/interrupt.h"
#include "client/ippctl/json_path.h"
#include "client/ippctl/look.h"
#include "client/ippctl/report.h"
#include "ippclient/connection.h"

namespace ipp::ippctl {

// What a command uses of its process; tests supply their own.
struct Environment {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  GetEnv getenv;
  Interrupt* interrupt;
  // Asked after a write to `out` has failed: whether it is a pipe whose reader has gone, which is
  // not reported as an error. Empty: no.
  std::function<bool()> reader_gone = nullptr;
  // Of standard output; `zone` is the user's. Colour also obeys NO_COLOR and TERM.
  Look look = {};
  bool err_color = false;  // standard error is a terminal
  int err_width = 0;       // its columns; 0: it is none, so no line is broken to fit
};

// --output.
enum class Format { kTable, kWide, kJson, kNdjson, kYaml, kName, kJsonPath };

// What a call has answered, for Invocation::Show.
struct Answer {
  const google::protobuf::Message& message;  // for machines: field for field as in the contract
  std::string text = "";                     // for people: one thing, not a list
  std::string id = "";                       // for -o name
  std::string request_id = "";               // of a create: a further member for machines
  bool reveal = false;                       // show the secrets in it
};

struct Command;

// One run of one command: its flags and words, the connection, and its output. Methods that end a
// command return its exit code.
class Invocation {
 public:
  // `path` is there for jsonpath only. `command` must outlive it.
  Invocation(const Environment& environment, const Command& command, FlagValues flags,
             std::vector<std::string> words, std::shared_ptr<client::Connection> connection,
             std::unique_ptr<JsonPath> path);

  const FlagValues& flags() const { return flags_; }
  // The words that Command::words names, in that order; shorter when optional ones are left out.
  const std::vector<std::string>& words() const { return words_; }
  std::istream& in() { return environment_.in; }
  std::ostream& out() { return environment_.out; }
  std::ostream& err() { return environment_.err; }
  const GetEnv& getenv() { return environment_.getenv; }
  Interrupt* interrupt() { return environment_.interrupt; }
  const std::shared_ptr<grpc::Channel>& channel() const { return connection_->channel(); }
  const Environment& environment() const { return environment_; }
  const Command& command() const { return command_; }
  const Look& look() const { return look_; }
  Way way() const;  // to the gateway
  bool wide() const { return format_ == Format::kWide; }
  // Whether a program reads the output, which then has no lines that are for people.
  bool ndjson() const { return format_ == Format::kNdjson; }
  bool name_only() const { return format_ == Format::kName; }
  bool machine() const { return format_ != Format::kTable && format_ != Format::kWide; }

  // A unary call with the deadline of --timeout; Ctrl-C cancels it.
  // Unary<DeviceService>(&DeviceService::Stub::GetDevice, request, &response)
  template <typename Service, typename Request, typename Response>
  grpc::Status Unary(grpc::Status (Service::Stub::*method)(grpc::ClientContext*, const Request&,
                                                           Response*),
                     const Request& request, Response* response) {
    grpc::ClientContext context;
    connection_->Prepare(&context);
    const auto stub = Service::NewStub(channel());
    const OnInterrupt cancel(interrupt(), [&context] { context.TryCancel(); });
    return (stub.get()->*method)(&context, request, response);
  }

  // The answer on stdout, as --output asks for. Secrets are masked.
  int Show(const Answer& answer);
  // A list: `response` is the contract's, with its one repeated field of messages. People get the
  // command's columns; a `next_page_token` is reported on stderr.
  int ShowList(const google::protobuf::Message& response);
  // One thing of a stream, at once: for people `text`, for machines one line or document.
  void ShowNext(const google::protobuf::Message& message, const std::string& text,
                const std::string& id);
  // The same for what is no message of the contract: `json` is an object on one line.
  void ShowJson(const std::string& json, const std::string& text, const std::string& id);

  // The message as JSON on one line, for other programs. Secrets are masked.
  std::string Masked(const google::protobuf::Message& message) const {
    return Json(message, /*one_line=*/true, /*reveal=*/false);
  }

  // The error on stderr: JSON on one line when the output is for machines.
  int Fail(const grpc::Status& status, const Attempt& attempt = {});
  // Reports a mistake in the command line that the parser cannot detect: `message` on stderr, exit
  // code 2.
  int Misused(absl::string_view message);
  // A remark for people on stderr: "ippctl: " and `message`.
  void Note(absl::string_view message);

 private:
  std::string Json(const google::protobuf::Message& message, bool one_line, bool reveal) const;
  // JSON in the machine formats; `next` is one of several documents.
  void Emit(const std::string& json, bool next);

  Environment environment_;
  const Command& command_;
  const FlagValues flags_;
  const std::vector<std::string> words_;
  const std::shared_ptr<client::Connection> connection_;
  const std::unique_ptr<JsonPath> path_;
  const Format format_;
  const Look look_;
  bool shown_before_ = false;
};

// How a mistake in the command line is reported. `see` is the help to look at; may be empty.
std::string DescribeMisuse(absl::string_view message, const std::string& see,
                           const FlagValues& flags, bool color);

// What is prepared before a command runs.
enum class Needs {
  kGateway,   // settings, and a connection made of them
  kSettings,  // flags, environment and configuration file; no connection
  kNothing,   // not even the configuration file, which may be broken
};

// All that is known of a command. The parser, the help, the manual page, the completions, the
// tables and the tests of the examples are made of it.
struct Command {
  std::string group = "";    // "sessions"; also the word of a command without a group: "version"
  std::string name = "";     // "create"; empty for such a command
  std::string summary = "";  // one line, no full stop
  std::vector<std::string> words =
      {};  // what follows: {"SESSION_ID"}; in brackets: may be left out
  std::vector<Flag> flags = {};
  std::string details = "";                // more for the help; it is wrapped there; may be empty
  std::vector<std::string> examples = {};  // each a whole command line, on one line
  std::function<int(Invocation&)> run = {};
  Needs needs = Needs::kGateway;
  std::string kind = "";             // what it shows: -o name prints "device/ID"
  std::vector<Column> columns = {};  // of the rows that it lists; see Column::id
  bool hidden = false;               // not in help and completion
};

// "sessions create", "version".
std::string NameOf(const Command& command);

// Each in the file of its name.
std::vector<Command> DeviceCommands();
std::vector<Command> EnrollmentCommands();
std::vector<Command> LocationCommands();
std::vector<Command> SessionCommands();
std::vector<Command> OutcomeCommands();
std::vector<Command> EventCommands();
std::vector<Command> SimulationCommands();
std::vector<Command> WebhookCommands();
std::vector<Command> TriggerCommands();
std::vector<Command> ConfigCommands();
std::vector<Command> CompletionCommands();
std::vector<Command> AboutCommands();

}  // namespace ipp::ippctl
