#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/json/fuzz_check.h"

namespace ipp::json {
namespace {

// The fuzzer's finds, and beginnings, as a plain test: each whole, and with each byte turned or
// gone.
TEST(JsonCorpus, HoldsForEveryInputAndItsNeighbours) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(IPP_TESTDATA "/json_corpus")) {
    paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  ASSERT_GE(paths.size(), 10u);
  for (const auto& path : paths) {
    SCOPED_TRACE(path.filename().string());
    std::ifstream file(path, std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(file)), {});
    test::CheckAnyBytes(bytes);
    const size_t step = bytes.size() / 200 + 1;
    for (size_t i = 0; i < bytes.size(); i += step) {
      std::string other = bytes;
      other[i] = static_cast<char>(other[i] ^ 0x10);
      test::CheckAnyBytes(other);
      other.erase(i, 1);
      test::CheckAnyBytes(other);
    }
  }
}

}  // namespace
}  // namespace ipp::json
