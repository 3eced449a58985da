#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace ipp {

// A fuzz target's corpus as a plain test: runs `check` on each file of testdata/<target>_corpus,
// and on its neighbours, with one byte turned or gone.
inline void CheckCorpus(const std::string& target,
                        const std::function<void(absl::string_view)>& check) {
  std::vector<std::filesystem::path> paths;
  const std::string folder = absl::StrCat(IPP_TESTDATA "/", target, "_corpus");
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  ASSERT_GE(paths.size(), 5u) << folder;
  for (const auto& path : paths) {
    SCOPED_TRACE(path.filename().string());
    std::ifstream file(path, std::ios::binary);
    ASSERT_TRUE(file.is_open());
    const std::string bytes((std::istreambuf_iterator<char>(file)), {});
    check(bytes);
    const size_t step = bytes.size() / 50 + 1;
    for (size_t i = 0; i < bytes.size(); i += step) {
      std::string other = bytes;
      other[i] = static_cast<char>(other[i] ^ 0x10);
      check(other);
      other.erase(i, 1);
      check(other);
    }
  }
}

}  // namespace ipp
