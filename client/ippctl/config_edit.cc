#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "client/ippctl/config_file.h"

namespace ipp::ippctl {
namespace {

bool IsSection(absl::string_view line, absl::string_view name) {
  line = absl::StripAsciiWhitespace(line.substr(0, line.find(" #")));
  return absl::ConsumePrefix(&line, "[") && absl::ConsumeSuffix(&line, "]") &&
         (name.empty() || line == name);
}

bool SetsKey(absl::string_view line, absl::string_view key) {
  const size_t equals = line.find('=');
  return equals != absl::string_view::npos && ToChoice(line.substr(0, equals)) == key;
}

bool IsBlank(absl::string_view line) { return absl::StripAsciiWhitespace(line).empty(); }

}  // namespace

std::string WithSetting(absl::string_view text, absl::string_view context, absl::string_view key,
                        absl::string_view value) {
  std::vector<std::string> lines = absl::StrSplit(text, '\n');
  if (lines.back().empty()) lines.pop_back();  // what follows the last newline
  const std::string setting = absl::StrCat(key, " = ", value);
  const auto write = [&lines] { return absl::StrJoin(lines, "\n") + "\n"; };

  size_t begin = 0;
  if (!context.empty()) {
    while (begin < lines.size() && !IsSection(lines[begin], context)) ++begin;
    if (begin == lines.size()) {
      if (!lines.empty() && !IsBlank(lines.back())) lines.emplace_back();
      lines.push_back(absl::StrCat("[", context, "]"));
      lines.push_back(setting);
      return write();
    }
    ++begin;
  }
  size_t end = begin;
  for (; end < lines.size() && !IsSection(lines[end], ""); ++end) {
    if (!SetsKey(lines[end], key)) continue;
    const size_t comment = lines[end].find(" #");
    lines[end] = comment == std::string::npos
                     ? setting
                     : absl::StrCat(setting, "  ", lines[end].substr(comment + 1));
    return write();
  }
  const bool last = end == lines.size();
  while (end > begin && IsBlank(lines[end - 1])) --end;
  lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(end), setting);
  if (!last && !IsBlank(lines[end + 1])) {
    lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(end) + 1, "");
  }
  return write();
}

absl::Status WriteConfigFile(const std::string& path, absl::string_view text) {
  const auto wrong = [&path](absl::string_view what) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot ", what, " ", path, ": ", strerrordesc_np(errno)));
  };
  std::error_code error;
  // A link stays a link: its target is replaced.
  const auto real = std::filesystem::weakly_canonical(path, error);
  const std::string target = error ? path : real.string();
  std::filesystem::create_directories(std::filesystem::path(target).parent_path(), error);
  if (std::filesystem::exists(target, error) && !std::filesystem::is_regular_file(target, error)) {
    return absl::FailedPreconditionError(absl::StrCat(path, " is not a file"));
  }
  const std::string next = target + ".new";
  const int fd = open(next.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return wrong("write");
  const bool written = write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (close(fd) == 0 && written && std::rename(next.c_str(), target.c_str()) == 0) {
    return absl::OkStatus();
  }
  const absl::Status status = wrong("replace");
  unlink(next.c_str());
  return status;
}

}  // namespace ipp::ippctl
