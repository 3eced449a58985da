#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <memory>
#include <semaphore>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_split.h"
#include "server/web/web_listener.h"
#include "tests/bench/flags.h"
#include "tests/bench/http_load.h"
#include "tests/bench/process_clock.h"
#include "tests/bench/raw_subscriber.h"

// Webhooks on their way in: how many become durable in a second, how soon a subscriber has them,
// and what is under that: the bare listener, and the disk's own fsync.
namespace ipp::bench {
namespace {

std::vector<std::string> Requests(const Flags& flags, int count) {
  return SignedWebhooks(flags.Text("secret"), flags.Text("merchant"),
                        absl::StrSplit(flags.Text("sessions"), ','), flags.Number("first"), count);
}

void PrintPercentiles(std::vector<double> us) {
  std::sort(us.begin(), us.end());
  const auto at = [&us](double share) {
    return us[static_cast<size_t>(share * static_cast<double>(us.size() - 1))];
  };
  std::printf("p50_us=%.1f p99_us=%.1f\n", at(0.5), at(0.99));
}

// When each event was sent, and when it came over the stream.
class Arrivals final : public Audience {
 public:
  Arrivals(int64_t first, size_t count) : first_(first), due_ns_(count), came_ns_(count) {}

  void Sent(size_t index, int64_t due_ns) { due_ns_[index] = due_ns; }

  void Got(int64_t number, const grpc::ByteBuffer& message) override {
    const int64_t now = NowNs();
    if (number == 0) return ready_.release();
    std::vector<grpc::Slice> slices;
    message.Dump(&slices).ok();
    std::string bytes;
    for (const grpc::Slice& slice : slices) {
      bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
    }
    const auto index = static_cast<size_t>(EventNumber(bytes) - first_);
    if (index >= came_ns_.size()) return;
    came_ns_[index] = now;
    came_.release();
  }
  void Ended(const grpc::Status& status) override { Die("ended: " + status.error_message()); }

  void WaitUntilOpen() { ready_.acquire(); }
  void WaitForOne() {
    if (!came_.try_acquire_for(std::chrono::seconds(30))) Die("an event did not come");
  }

  std::vector<double> Us() const {
    std::vector<double> us;
    for (size_t i = 0; i < due_ns_.size(); ++i) {
      us.push_back(static_cast<double>(came_ns_[i] - due_ns_[i]) / 1e3);
    }
    return us;
  }

 private:
  const int64_t first_;
  std::vector<int64_t> due_ns_;
  std::vector<int64_t> came_ns_;
  std::counting_semaphore<> ready_{0};
  std::counting_semaphore<> came_{0};
};

}  // namespace

// The floor: a listener that answers at once.
int RunWeb(const Flags&) {
  const auto listener = web::WebListener::Start({}, [](web::WebRequest, web::WebReply reply) {
    std::move(reply)({.code = 200, .body = "accepted\n", .headers = {}});
  });
  if (!listener.ok()) Die(std::string(listener.status().message()));
  std::printf("listening %d\n", (*listener)->port());
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  return 0;
}

int RunWebhooks(const Flags& flags) {
  const int warm_up = flags.Number("warm-up");
  const int events = flags.Number("events");
  const std::vector<std::string> requests = Requests(flags, warm_up + events);
  const pid_t server = flags.Number("server-pid");
  int64_t begin = NowNs();
  double cpu = ProcessCpuUs(server);
  HttpLoad load;
  load.port = flags.Number("port");
  load.connections = flags.Number("connections");
  load.per_second = flags.Number("per-second");
  int64_t sent_ns = 0;
  load.on_send = [&sent_ns](size_t index, int64_t due_ns) {
    if (index == 0) sent_ns = due_ns;
  };
  load.on_answer = [&](size_t answered) {
    if (answered != static_cast<size_t>(warm_up)) return;
    begin = NowNs();
    cpu = ProcessCpuUs(server);
  };
  Run(load, requests);
  std::printf("per_second=%.1f cpu_us=%.3f sent_ns=%lld\n",
              events / (static_cast<double>(NowNs() - begin) / 1e9),
              (ProcessCpuUs(server) - cpu) / events, static_cast<long long>(sent_ns));
  return 0;
}

int RunLatency(const Flags& flags) {
  const int events = flags.Number("events");
  const std::vector<std::string> requests = Requests(flags, events);
  Arrivals arrivals(flags.Number("first"), requests.size());
  const auto stubs = Connect(flags.Text("target"), 1);
  const grpc::ByteBuffer request = SubscribeRequest(kustom::ipp::v1::START_POSITION_FROM_NOW);
  const RawSubscriber subscriber(&arrivals, stubs[0].get(), flags.Text("token"), &request);
  arrivals.WaitUntilOpen();
  HttpLoad load;
  load.port = flags.Number("port");
  load.connections = flags.Number("connections");
  load.per_second = flags.Number("per-second");
  load.on_send = [&](size_t index, int64_t due_ns) { arrivals.Sent(index, due_ns); };
  Run(load, requests);
  for (int i = 0; i < events; ++i) arrivals.WaitForOne();
  PrintPercentiles(arrivals.Us());
  std::fflush(stdout);
  std::_Exit(0);  // the stream is still open
}

// The floor under a durable anything: what the disk takes to have a few kilobytes for certain.
int RunFsync(const Flags& flags) {
  const std::string path = flags.Text("path");
  const int file = open(path.c_str(), O_CREAT | O_RDWR | O_TRUNC, 0600);
  if (file < 0) Die("cannot open " + path);
  const std::string block(static_cast<size_t>(flags.Number("bytes")), 'x');
  const int events = flags.Number("events");
  const auto pause = std::chrono::nanoseconds(1'000'000'000 / flags.Number("per-second"));
  // A write-ahead log is written over and over: its blocks are there.
  for (int i = 0; i < events; ++i) {
    if (write(file, block.data(), block.size()) < 0) Die("cannot write " + path);
  }
  fsync(file);
  std::vector<double> us;
  for (int i = 0; i < events; ++i) {
    std::this_thread::sleep_for(pause);
    const int64_t begin = NowNs();
    if (pwrite(file, block.data(), block.size(),
               static_cast<off_t>(i) * static_cast<off_t>(block.size())) < 0 ||
        fdatasync(file) != 0) {
      Die("cannot write " + path);
    }
    us.push_back(static_cast<double>(NowNs() - begin) / 1e3);
  }
  close(file);
  unlink(path.c_str());
  PrintPercentiles(std::move(us));
  return 0;
}

}  // namespace ipp::bench
