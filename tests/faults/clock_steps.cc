#include "tests/faults/clock_steps.h"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tests/faults/plan.h"

namespace ipp::faults {
namespace {

constexpr const char* kLibraries[] = {
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
};

constexpr absl::Duration kOffsets[] = {
    absl::Hours(24 * 8),  absl::Hours(24 * 40),  absl::Hours(24 * 400), absl::Hours(3),
    absl::Minutes(6),     -absl::Minutes(6),     -absl::Hours(3),       -absl::Hours(24 * 2),
    -absl::Hours(24 * 9), -absl::Hours(24 * 400)};

// The reader never sees half of it.
void Write(const std::string& file, absl::Duration offset) {
  const std::string next = absl::StrCat(file, ".next");
  std::ofstream(next) << absl::StrFormat("%+d\n", absl::ToInt64Seconds(offset));
  std::rename(next.c_str(), file.c_str());
}

absl::Duration Between(std::mt19937_64* random, int64_t least_ms, int64_t most_ms) {
  return absl::Milliseconds(
      least_ms + static_cast<int64_t>(Draw(random, static_cast<uint64_t>(most_ms - least_ms))));
}

}  // namespace

std::string NameOf(ClockTrouble trouble) {
  switch (trouble) {
    case ClockTrouble::kNone:
      return "none";
    case ClockTrouble::kSteps:
      return "steps";
    case ClockTrouble::kRestarts:
      return "restarts";
  }
  return "";
}

ClockSteps::ClockSteps(std::vector<std::string> files, uint64_t seed) : files_(std::move(files)) {
  for (const std::string& file : files_) Write(file, absl::ZeroDuration());
  thread_ = std::thread([this, seed] { Run(seed); });
}

ClockSteps::~ClockSteps() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    changed_.SignalAll();
  }
  thread_.join();
}

void ClockSteps::Hold() {
  MutexLock lock(&mutex_);
  ++holds_;
  PutRight();
  changed_.SignalAll();
}

void ClockSteps::Release() {
  MutexLock lock(&mutex_);
  --holds_;
  changed_.SignalAll();
}

int ClockSteps::steps() const {
  MutexLock lock(&mutex_);
  return steps_;
}

void ClockSteps::WaitForSteps(int count) const {
  MutexLock lock(&mutex_);
  while (steps_ < count && !stopping_) changed_.WaitFor(&mutex_, std::chrono::milliseconds(100));
}

void ClockSteps::PutRight() {
  for (const std::string& file : files_) Write(file, absl::ZeroDuration());
}

bool ClockSteps::Wait(absl::Duration time) {
  const auto end = std::chrono::steady_clock::now() + absl::ToChronoMilliseconds(time);
  while (!stopping_ && holds_ == 0) {
    const auto left = end - std::chrono::steady_clock::now();
    if (left <= left.zero()) break;
    changed_.WaitFor(&mutex_, left);
  }
  return !stopping_;
}

void ClockSteps::Run(uint64_t seed) {
  std::mt19937_64 random(seed);
  MutexLock lock(&mutex_);
  while (Wait(Between(&random, 20, 400))) {
    if (holds_ > 0) {
      changed_.WaitFor(&mutex_, std::chrono::milliseconds(100));
      continue;
    }
    Write(files_[Draw(&random, files_.size())], kOffsets[Draw(&random, std::size(kOffsets))]);
    const bool goes_on = Wait(Between(&random, 1100, 2900));
    PutRight();
    if (!goes_on) break;
    if (holds_ > 0) continue;
    ++steps_;
    changed_.SignalAll();
  }
}

absl::Status PrefixWithClock(const std::string& file, std::vector<std::string>* arguments) {
  for (const char* library : kLibraries) {
    if (access(library, R_OK) != 0) continue;
    arguments->insert(arguments->begin(), {"/usr/bin/env", absl::StrCat("LD_PRELOAD=", library),
                                           absl::StrCat("FAKETIME_TIMESTAMP_FILE=", file),
                                           // Looked at with each reading; else ten seconds late.
                                           "FAKETIME_NO_CACHE=1", "DONT_FAKE_MONOTONIC=1",
                                           "FAKETIME_DONT_FAKE_MONOTONIC=1", "NO_FAKE_STAT=1"});
    return absl::OkStatus();
  }
  return absl::NotFoundError("there is no libfaketime; apt-get install faketime");
}

}  // namespace ipp::faults
