#include "tests/bench/flags.h"

#include <cstdio>
#include <cstdlib>

#include "absl/strings/numbers.h"

namespace ipp::bench {

void Die(const std::string& message) {
  std::fprintf(stderr, "bench: %s\n", message.c_str());
  std::exit(1);
}

Flags::Flags(int argc, char** argv, int first) {
  for (int i = first; i < argc; ++i) {
    const std::string flag = argv[i];
    const size_t equals = flag.find('=');
    if (flag.rfind("--", 0) != 0 || equals == flag.npos) Die("not --name=value: " + flag);
    values_[flag.substr(2, equals - 2)] = flag.substr(equals + 1);
  }
}

std::string Flags::Text(const std::string& name) const {
  const auto it = values_.find(name);
  if (it == values_.end()) Die("--" + name + " is required");
  return it->second;
}

std::string Flags::Text(const std::string& name, const std::string& otherwise) const {
  const auto it = values_.find(name);
  return it == values_.end() ? otherwise : it->second;
}

int Flags::Number(const std::string& name) const {
  int number = 0;
  if (!absl::SimpleAtoi(Text(name), &number)) Die("--" + name + " is not a number");
  return number;
}

}  // namespace ipp::bench
