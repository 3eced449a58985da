#include "client/ippctl/cursor_file.h"

#include <errno.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "client/ippctl/file_text.h"

namespace ipp::ippctl {

absl::StatusOr<std::string> CursorFile::Read() const {
  if (path_.empty()) return "";
  const auto text = ReadFileText(path_);
  if (!text && errno == ENOENT) return "";
  if (!text) return absl::NotFoundError(absl::StrCat("cannot read the cursor file ", path_));
  const absl::string_view cursor = absl::StripAsciiWhitespace(*text);
  if (cursor.empty() ||
      std::any_of(cursor.begin(), cursor.end(), [](char c) { return c <= ' ' || c >= '\x7f'; })) {
    return absl::FailedPreconditionError(absl::StrCat(path_, " holds no cursor"));
  }
  return std::string(cursor);
}

absl::Status CursorFile::Keep(absl::string_view cursor) {
  if (path_.empty()) return absl::OkStatus();
  // Two processes with one file must not write the same new one.
  const std::string fresh = absl::StrCat(path_, ".", getpid(), ".new");
  std::ofstream out(fresh, std::ios::trunc);
  out << cursor << "\n";
  out.close();
  if (out && std::rename(fresh.c_str(), path_.c_str()) == 0) return absl::OkStatus();
  std::remove(fresh.c_str());
  return absl::FailedPreconditionError(absl::StrCat("cannot write the cursor file ", path_));
}

}  // namespace ipp::ippctl
