#pragma once

#include <map>
#include <string>

namespace ipp::bench {

// `--name=value` arguments of one mode of a bench program. They are driven by a script: what is
// wrong ends the process with a line on stderr.
class Flags {
 public:
  Flags(int argc, char** argv, int first);

  std::string Text(const std::string& name) const;  // required
  std::string Text(const std::string& name, const std::string& otherwise) const;
  int Number(const std::string& name) const;  // required

 private:
  std::map<std::string, std::string> values_;
};

// One line on stderr, and the process ends with 1.
[[noreturn]] void Die(const std::string& message);

// The modes of gateway_bench; each returns the exit code. See README.md.
int RunAnswers(const Flags& flags);
int RunCalls(const Flags& flags);

// The modes of events_bench.
int RunBroadcast(const Flags& flags);
int RunFlood(const Flags& flags);
int RunFsync(const Flags& flags);
int RunHold(const Flags& flags);
int RunLatency(const Flags& flags);
int RunResume(const Flags& flags);
int RunSeed(const Flags& flags);
int RunSubscribers(const Flags& flags);
int RunWeb(const Flags& flags);
int RunWebhooks(const Flags& flags);

}  // namespace ipp::bench
