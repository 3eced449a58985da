#include "server/base/secret_file.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/base/log.h"
#include "server/base/status_macros.h"

namespace ipp {
namespace {

constexpr absl::Duration kLookEvery = absl::Seconds(1);
constexpr size_t kMaxBytes = 64 * 1024;

std::vector<std::string> MeaningfulLines(absl::string_view text) {
  std::vector<std::string> lines;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    line = absl::StripAsciiWhitespace(line);
    if (!line.empty() && line[0] != '#') lines.emplace_back(line);
  }
  return lines;
}

}  // namespace

absl::StatusOr<std::unique_ptr<SecretFile>> SecretFile::Open(std::string path, Clock* clock,
                                                             Check check, Gauge* refused) {
  std::unique_ptr<SecretFile> file(new SecretFile(std::move(path), clock, check, refused));
  MutexLock lock(&file->mutex_);
  file->next_look_ = clock->Now() + kLookEvery;
  if (absl::Status loaded = file->Load(); !loaded.ok()) return loaded;
  return file;
}

SecretFile::Lines SecretFile::lines() {
  const absl::Time now = clock_->Now();
  MutexLock lock(&mutex_);
  // The second condition: if the clock was set back, the file must still be checked.
  if (now < next_look_ && now >= next_look_ - kLookEvery) return lines_;
  next_look_ = now + kLookEvery;
  Look(/*whole=*/false);
  return lines_;
}

absl::Status SecretFile::LookAgain() {
  MutexLock lock(&mutex_);
  next_look_ = clock_->Now() + kLookEvery;
  Look(/*whole=*/true);
  return refusal_;
}

std::string SecretFile::value() { return lines()->front(); }

void SecretFile::Look(bool whole) {
  const FileStamp seen = seen_;
  const Lines lines = lines_;
  if (whole) seen_ = FileStamp();
  const absl::Status before = std::exchange(refusal_, Load());
  if (before.ok() != refusal_.ok() && refused_files_ != nullptr) {
    refused_files_->Add(refusal_.ok() ? -1 : 1);
  }
  if (seen_ == seen && lines_ == lines && refusal_ == before) return;
  if (refusal_.ok()) {
    LogInfo("secret file read again", {{"path", path_}});
  } else {
    LogWarning("secret file not usable, the value read before is kept",
               {{"path", path_}, {"error", std::string(refusal_.message())}});
  }
}

absl::Status SecretFile::Load() {
  const FileStamp seen = std::exchange(seen_, FileStamp());
  IPP_ASSIGN_OR_RETURN(const FileStamp stamp, StampOf(path_));
  if (stamp == seen) {
    seen_ = seen;
    return refusal_;
  }
  IPP_ASSIGN_OR_RETURN(const FileContent content, ReadSmallFile(path_, kMaxBytes));
  seen_ = content.stamp;
  const auto error = [this](absl::string_view what) {
    return absl::FailedPreconditionError(absl::StrCat(path_, ": ", what));
  };
  std::vector<std::string> lines = MeaningfulLines(content.text);
  if (lines.empty()) return error("empty");
  if (check_ != nullptr) {
    if (const absl::Status refused = check_(lines); !refused.ok()) return error(refused.message());
  }
  if (lines_ == nullptr || *lines_ != lines) {
    lines_ = std::make_shared<const std::vector<std::string>>(std::move(lines));
  }
  return absl::OkStatus();
}

absl::Status CheckSecretText(absl::string_view text) {
  for (const absl::string_view scheme : {"Basic", "Bearer"}) {
    if (absl::StartsWithIgnoreCase(text, scheme) && text.size() > scheme.size() &&
        absl::ascii_isblank(static_cast<unsigned char>(text[scheme.size()]))) {
      return absl::InvalidArgumentError(
          absl::StrCat("begins with '", scheme, " ': only what follows belongs into the file"));
    }
  }
  const auto is_quote = [](char c) { return c == '"' || c == '\'' || c == '`'; };
  if (!text.empty() && (is_quote(text.front()) || is_quote(text.back()))) {
    return absl::InvalidArgumentError("is in quotes: the file holds it without them");
  }
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (absl::ascii_isblank(c)) return absl::InvalidArgumentError("has a blank inside");
    if (c <= 0x20 || c >= 0x7f) {
      return absl::InvalidArgumentError(
          absl::StrCat("has a byte that is no visible ASCII character (the ", i + 1, ". byte)"));
    }
  }
  return absl::OkStatus();
}

}  // namespace ipp
