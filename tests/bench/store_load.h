#pragma once

#include <time.h>

#include <condition_variable>
#include <mutex>
#include <string>

#include "server/store/store.h"

namespace ipp::bench {

// Writes events, durably, a number at a time.
class Writer {
 public:
  virtual ~Writer() = default;
  // Returns when all are durable.
  virtual void Write(int events) = 0;
};

struct Slice {
  int events = 0;
  double seconds = 0;
  double cpu_seconds = 0;  // of this process
  double per_second() const { return events / seconds; }
  double cpu_us() const { return cpu_seconds / events * 1e6; }
};
Slice Measure(Writer* writer, int events);

// A session of its own for every event, as ids are: without order.
std::string RandomId();
store::SessionRecord MakeRecord(const std::string& session_id);
kustom::ipp::v1::SessionEvent MakeEvent(const store::SessionRecord& record);

// Through a store, with `in_flight` transactions waiting, so that every commit is a full one.
class StoreWriter final : public Writer {
 public:
  StoreWriter(store::Store* store, int in_flight);
  void Write(int events) override;

 private:
  void AddOne();
  void WaitUntil(int limit, int low);

  store::Store* const store_;
  const int in_flight_;
  const store::SessionRecord record_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int waiting_ = 0;
};

}  // namespace ipp::bench
