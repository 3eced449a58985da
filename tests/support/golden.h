#pragma once

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include "absl/strings/string_view.h"
#include "gtest/gtest.h"

namespace ipp {

// Compares `actual` with tests/testdata/`name`, byte for byte. With IPP_UPDATE_GOLDEN=1 in the
// environment
// (`./dev golden` sets it) a file that differs is written anew. The test fails then too: a run that
// rewrites what it compares with has proved nothing, so the change is looked at (`git diff`) and
// the test is run again.
inline void ExpectGolden(const std::string& name, absl::string_view actual) {
  const std::string path = std::string(IPP_TESTDATA) + "/" + name;
  std::stringstream golden;
  golden << std::ifstream(path, std::ios::binary).rdbuf();
  if (golden.str() == actual) return;
  const char* const update = std::getenv("IPP_UPDATE_GOLDEN");
  if (update == nullptr || std::string(update) != "1") {
    EXPECT_EQ(golden.str(), std::string(actual)) << "when this change is meant: ./dev golden";
    return;
  }
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << actual;
  ASSERT_TRUE(file.flush().good()) << "cannot write " << path;
  ADD_FAILURE() << path << " was written anew: look at its difference, and run the test again";
}

}  // namespace ipp
