#pragma once

#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "client/ippctl/app.h"

namespace ipp::ippctl {

struct RunResult {
  int exit_code = 0;
  std::string out;
  std::string err;
};

// Runs ippctl against `address` (by the environment variable).
inline RunResult RunAt(const std::string& address, std::vector<std::string> args,
                       const std::string& input = "", Interrupt* interrupt = nullptr) {
  std::istringstream in(input);
  std::ostringstream out;
  std::ostringstream err;
  Interrupt none;
  const auto getenv = [&](const std::string& name) {
    return name == "IPPCTL_ADDRESS" ? address : std::string();
  };
  const int exit_code =
      RunIppctl(std::move(args), {in, out, err, getenv, interrupt == nullptr ? &none : interrupt});
  return {exit_code, out.str(), err.str()};
}

}  // namespace ipp::ippctl
