#include <stdexcept>

#include "tests/packages/cpp/driver.h"

namespace ipp::driver {
namespace {

namespace v1 = ::kustom::ipp::v1;
using client::Delivery;
using client::Handled;

constexpr absl::Duration kPatience = absl::Seconds(30);

// The handler of the scenes, on any thread.
class Scene {
 public:
  explicit Scene(Run* run) : run_(*run) {}

  Handled Handle(Delivery& delivery) {
    const std::string event = delivery.event().event_id();
    Add(&seen, event);
    Note("handling", event);
    const std::string what = Text(Part(run_.order, "handle"), event);
    if (what == "retry") return Handled::Retry("not yet", absl::Seconds(7));
    if (what == "park") return Handled::Park("no such order");
    if (what == "throw") throw std::runtime_error("the password is hunter2");
    if (what == "hold") run_.go.WaitFor(absl::ToChronoMilliseconds(kPatience));
    if (what == "until_lost" && delivery.WaitLost(kPatience)) Add(&told, event);
    if (what == "check" && !delivery.Check()) Add(&told, event);
    return Handled::Acknowledge();
  }
  void Lost(const Delivery& delivery) {
    Add(&lost, delivery.event().event_id());
    Note("lost", delivery.event().event_id());
  }

  std::vector<std::string> seen, lost, told;

 private:
  void Add(std::vector<std::string>* list, const std::string& event) {
    const std::lock_guard<std::mutex> lock(mutex_);
    list->push_back(event);
  }

  Run& run_;
  std::mutex mutex_;
};

}  // namespace

Answer Consume(Run* run) {
  const Order& order = run->order;
  Scene scene(run);
  client::ConsumerOptions options;
  options.subscription.set_name("books");
  if (Flag(order, "make")) {
    options.subscription.mutable_start()->set_position(v1::START_POSITION_FROM_NOW);
  }
  options.parallel = static_cast<int>(Number(order, "parallel"));
  options.on_lease_lost = [&](const Delivery& delivery) { scene.Lost(delivery); };
  options.heartbeat = Timing(order, "heartbeat");
  options.call_timeout = Timing(order, "call");
  options.make_timeout = Timing(order, "create");
  options.stop_timeout = Timing(order, "stop");
  options.first_pause = Timing(order, "first_pause");
  options.longest_pause = Timing(order, "longest_pause");
  options.initial_backoff = Timing(order, "first_stream_pause");
  options.max_backoff = Timing(order, "longest_stream_pause");

  client::Consumer consumer(run->connection->channel(), options);
  run->stop.Set([&] { consumer.Cancel(); });
  const grpc::Status status =
      consumer.Run([&](Delivery& delivery) { return scene.Handle(delivery); });
  run->stop.Set(nullptr);

  Answer answer;
  Set(&answer, "events", scene.seen);
  Set(&answer, "lost", scene.lost);
  Set(&answer, "told", scene.told);
  Set(&answer, "raised", Raised(status));
  return answer;
}

}  // namespace ipp::driver
