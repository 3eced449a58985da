#include "server/files/file_watch.h"

#include <chrono>
#include <utility>

#include "server/base/log.h"
#include "server/base/this_thread.h"

namespace ipp::files {

WatchedFiles::WatchedFiles(Options options) : options_(std::move(options)), seen_(Stamps()) {}

std::vector<FileStamp> WatchedFiles::Stamps() const {
  std::vector<FileStamp> stamps;
  for (const std::string& path : options_.paths) {
    stamps.push_back(StampOf(path).value_or(FileStamp()));
  }
  return stamps;
}

absl::Status WatchedFiles::LookAgain() {
  std::vector<FileStamp> stamps = Stamps();
  const bool changed = stamps != seen_;
  if (!changed && refusal_.ok()) return refusal_;
  seen_ = std::move(stamps);
  const absl::Status before = std::exchange(refusal_, options_.take());
  if (before.ok() != refusal_.ok()) options_.refused->Add(refusal_.ok() ? -1 : 1);
  if (!changed && refusal_ == before) return refusal_;
  if (refusal_.ok()) {
    LogInfo("files read again", {{"key", options_.name}});
  } else {
    LogWarning("files not usable, what was read before is kept",
               {{"key", options_.name}, {"error", std::string(refusal_.message())}});
  }
  return refusal_;
}

FileWatch::FileWatch(absl::Duration interval, std::function<void()> look)
    : interval_(interval), look_(std::move(look)), thread_([this] { Run(); }) {}

FileWatch::~FileWatch() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    changed_.SignalAll();
  }
  thread_.join();
}

void FileWatch::Run() {
  NameThisThread("files");
  while (true) {
    {
      MutexLock lock(&mutex_);
      const auto next = std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(interval_);
      for (auto left = next - std::chrono::steady_clock::now(); !stopping_ && left.count() > 0;
           left = next - std::chrono::steady_clock::now()) {
        changed_.WaitFor(&mutex_, left);
      }
      if (stopping_) return;
    }
    look_();
  }
}

}  // namespace ipp::files
