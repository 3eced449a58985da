#include "tests/faults/work_directory.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace ipp::faults {

WorkDirectory::WorkDirectory()
    : path_((std::filesystem::temp_directory_path() / "ipp-crash-XXXXXX").string()) {
  if (mkdtemp(path_.data()) == nullptr) {
    std::perror(path_.c_str());
    std::exit(1);
  }
}

WorkDirectory::~WorkDirectory() {
  std::error_code ignored;
  if (const char* kept = std::getenv("SUITE_LOGS")) KeepLogs(kept);
  if (!keep_) std::filesystem::remove_all(path_, ignored);
}

void WorkDirectory::KeepLogs(const std::string& folder) const {
  namespace fs = std::filesystem;
  const fs::path to = fs::path(folder) / ("faults-" + fs::path(path_).filename().string());
  std::error_code failed;
  fs::create_directory(to, failed);
  for (const auto& entry : fs::directory_iterator(path_, failed)) {
    if (entry.path().extension() == ".log")
      fs::copy_file(entry, to / entry.path().filename(), failed);
    if (failed) std::perror(entry.path().c_str());
  }
}

std::string WorkDirectory::File(absl::string_view name) const {
  return absl::StrCat(path_, "/", name);
}

std::string WorkDirectory::Write(absl::string_view name, absl::string_view text) const {
  std::string path = File(name);
  std::ofstream(path, std::ios::binary | std::ios::trunc) << std::string(text);
  return path;
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string LastLines(const std::string& path, int count) {
  std::vector<std::string> lines = absl::StrSplit(ReadFile(path), '\n', absl::SkipEmpty());
  const size_t first = lines.size() > static_cast<size_t>(count) ? lines.size() - count : 0;
  return absl::StrJoin(lines.begin() + static_cast<std::ptrdiff_t>(first), lines.end(), "\n");
}

}  // namespace ipp::faults
