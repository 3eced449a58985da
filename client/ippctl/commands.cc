#include "client/ippctl/commands.h"

#include <utility>

#include "client/ippctl/history_commands.h"

namespace ipp::ippctl {

std::vector<Flag> GlobalFlags() {
  return {
      {.name = "address",
       .value = "HOST:PORT",
       .help = "the gateway",
       .fallback = "localhost:50051",
       .environment = "IPPCTL_ADDRESS",
       .setting = true},
      {.name = "token-file",
       .value = "FILE",
       .help = "bearer token, sent with every call",
       .environment = "IPPCTL_TOKEN_FILE",
       .setting = true},
      {.name = "merchant",
       .value = "ID",
       .help = "which merchant, when the caller has several",
       .environment = "IPPCTL_MERCHANT",
       .setting = true},
      {.name = "ca-file",
       .value = "FILE",
       .help = "TLS with the certificate authorities of this PEM file",
       .environment = "IPPCTL_CA_FILE",
       .setting = true},
      {.name = "cert-file",
       .value = "FILE",
       .help = "TLS with this client certificate (PEM), for a gateway that asks for one",
       .environment = "IPPCTL_CERT_FILE",
       .setting = true},
      {.name = "key-file",
       .value = "FILE",
       .help = "the certificate's private key (PEM)",
       .environment = "IPPCTL_KEY_FILE",
       .setting = true},
      {.name = "tls",
       .kind = FlagKind::kSwitch,
       .help = "TLS with the system's authorities",
       .environment = "IPPCTL_TLS",
       .setting = true},
      {.name = "allow-plaintext-token",
       .kind = FlagKind::kSwitch,
       .help = "send the token without TLS to another machine",
       .environment = "IPPCTL_ALLOW_PLAINTEXT_TOKEN",
       .setting = true},
      {.name = "timeout",
       .kind = FlagKind::kDuration,
       .value = "DURATION",
       .help = "how long a call may take; streams go on",
       .fallback = "10s",
       .environment = "IPPCTL_TIMEOUT",
       .setting = true},
      {.name = "output",
       .kind = FlagKind::kChoice,
       .value = "FORMAT",
       .help = "how answers are printed; see ippctl help output",
       .letter = 'o',
       .choices = {"table", "wide", "json", "ndjson", "yaml", "name", "jsonpath="},
       .fallback = "table",
       .environment = "IPPCTL_OUTPUT",
       .setting = true},
      {.name = "utc",
       .kind = FlagKind::kSwitch,
       .help = "times in UTC, not in this machine's time zone",
       .environment = "IPPCTL_UTC",
       .setting = true},
      {.name = "config",
       .value = "FILE",
       .help = "the configuration file: see ippctl help configuration",
       .environment = "IPPCTL_CONFIG"},
      {.name = "context",
       .value = "NAME",
       .help = "which section of the configuration file",
       .environment = "IPPCTL_CONTEXT",
       .source = "contexts"},
      {.name = "help", .kind = FlagKind::kSwitch, .help = "this text", .letter = 'h'},
      {.name = "version", .kind = FlagKind::kSwitch, .help = "the version"},
  };
}

std::vector<Command> AllCommands() {
  std::vector<Command> all;
  for (auto* part : {DeviceCommands, EnrollmentCommands, LocationCommands, SessionCommands,
                     OutcomeCommands, SessionSearchCommands, SubscriptionCommands, EventCommands,
                     WebhookCommands, SimulationCommands, TriggerCommands, ConfigCommands,
                     CompletionCommands, ReportCommands, AboutCommands}) {
    for (Command& command : part()) all.push_back(std::move(command));
  }
  return all;
}

}  // namespace ipp::ippctl
