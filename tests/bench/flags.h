#pragma once

#include <map>
#include <string>

namespace ipp::bench {

// `--name=value` arguments of one mode of gateway_bench. It is driven by a script: what is wrong
// ends the process with a line on stderr.
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

// The modes; each returns the exit code. See README.md.
int RunAnswers(const Flags& flags);
int RunCalls(const Flags& flags);
int RunCurl(const Flags& flags);
int RunBroadcast(const Flags& flags);
int RunSubscribers(const Flags& flags);

}  // namespace ipp::bench
