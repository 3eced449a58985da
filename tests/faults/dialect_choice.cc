#include "tests/faults/dialect_choice.h"

#include <vector>

#include "simulator/dialect.h"
#include "tests/faults/plan.h"

namespace ipp::faults {

bool IsDialectChoice(const std::string& choice) {
  if (choice == "none" || choice == "random") return true;
  const simulator::Dialect* dialect = simulator::FindDialect(choice);
  return dialect != nullptr && dialect->keeps_references;
}

std::string DrawDialect(const std::string& choice, std::mt19937_64* random) {
  if (choice == "none") return "";
  if (choice != "random") return choice;
  std::vector<std::string> names = {""};
  for (const simulator::Dialect& dialect : simulator::DialectTable()) {
    if (dialect.keeps_references) names.emplace_back(dialect.name);
  }
  return names[Draw(random, names.size())];
}

}  // namespace ipp::faults
