#pragma once

#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "client/ippctl/app.h"
#include "tests/support/said.h"

namespace ipp::ippctl {

struct RunResult {
  int exit_code = 0;
  std::string out;
  std::string err;
};

// Runs ippctl in an environment that has nothing else.
inline RunResult RunIn(std::map<std::string, std::string> variables, std::vector<std::string> args,
                       const std::string& input = "", Interrupt* interrupt = nullptr) {
  std::istringstream in(input);
  std::ostringstream out;
  std::ostringstream err;
  Interrupt none;
  const auto getenv = [&](const std::string& name) { return variables[name]; };
  const int exit_code =
      RunIppctl(std::move(args), {in, out, err, getenv, interrupt == nullptr ? &none : interrupt});
  KeepSaid(err.str());
  return {exit_code, out.str(), err.str()};
}

// Runs ippctl against `address`.
inline RunResult RunAt(const std::string& address, std::vector<std::string> args,
                       const std::string& input = "", Interrupt* interrupt = nullptr) {
  return RunIn({{"IPPCTL_ADDRESS", address}}, std::move(args), input, interrupt);
}

}  // namespace ipp::ippctl
