#pragma once

#include <google/protobuf/message.h>

#include <functional>
#include <istream>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "client/ippctl/flags.h"
#include "client/ippctl/interrupt.h"
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
};

// One run of one command: its flags and words, the connection, and its output. Methods that end a
// command return its exit code.
class Invocation {
 public:
  Invocation(const Environment& environment, FlagValues flags, std::vector<std::string> words,
             std::shared_ptr<client::Connection> connection)
      : environment_(environment),
        flags_(std::move(flags)),
        words_(std::move(words)),
        connection_(std::move(connection)) {}

  const FlagValues& flags() const { return flags_; }
  // The words that Command::words names, in that order; shorter when optional ones are left out.
  const std::vector<std::string>& words() const { return words_; }
  std::istream& in() { return environment_.in; }
  std::ostream& out() { return environment_.out; }
  std::ostream& err() { return environment_.err; }
  const GetEnv& getenv() { return environment_.getenv; }
  Interrupt* interrupt() { return environment_.interrupt; }
  const std::shared_ptr<grpc::Channel>& channel() const { return connection_->channel(); }
  bool json() const { return flags_.Text("output") == "json"; }

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

  // The error on stderr.
  int Fail(const grpc::Status& status, const Attempt& attempt = {});
  // Reports a mistake in the command line that the parser cannot detect: `message` on stderr, exit
  // code 2.
  int Misused(absl::string_view message);
  // `message` as JSON on stdout, over several lines or on one. Secrets are masked unless `reveal`.
  void PrintJson(const google::protobuf::Message& message, bool one_line, bool reveal = false);

 private:
  Environment environment_;
  const FlagValues flags_;
  const std::vector<std::string> words_;
  const std::shared_ptr<client::Connection> connection_;
};

// What is prepared before a command runs.
enum class Needs {
  kGateway,   // settings, and a connection made of them
  kSettings,  // flags, environment and configuration file; no connection
  kNothing,   // not even the configuration file, which may be broken
};

struct Command {
  std::string group = "";    // "sessions"
  std::string name = "";     // "create"
  std::string summary = "";  // one line, no full stop
  std::vector<std::string> words =
      {};  // what follows: {"SESSION_ID"}; in brackets: may be left out
  std::vector<Flag> flags = {};
  std::string details = "";                // more for the help; may be empty
  std::vector<std::string> examples = {};  // each a whole command line for a shell
  std::function<int(Invocation&)> run = {};
  Needs needs = Needs::kGateway;
};

// Each in the file of its name.
std::vector<Command> DeviceCommands();
std::vector<Command> EnrollmentCommands();
std::vector<Command> LocationCommands();
std::vector<Command> SessionCommands();
std::vector<Command> OutcomeCommands();
std::vector<Command> EventCommands();
std::vector<Command> SimulationCommands();
std::vector<Command> WebhookCommands();
std::vector<Command> ConfigCommands();
std::vector<Command> CompletionCommands();

}  // namespace ipp::ippctl
