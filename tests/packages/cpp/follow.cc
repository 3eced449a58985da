#include <utility>

#include "tests/packages/cpp/driver.h"

namespace ipp::driver {
namespace {

namespace v1 = ::kustom::ipp::v1;

// What the handler of the scenes fails with.
const char* const kHandlerFails = "handler";

// What a transaction has written, or a place in memory that has committed it.
struct Books {
  std::vector<std::string> events;
  std::string cursor;
};

class PlaceInMemory final : public client::Place<Books> {
 public:
  grpc::Status Load(std::string* cursor) override {
    *cursor = kept.cursor;
    return grpc::Status::OK;
  }
  grpc::Status InTransaction(const Work& work) override {
    Books written = kept;
    grpc::Status status = work(written);
    if (status.ok()) kept = std::move(written);
    return status;
  }
  grpc::Status Store(Books& books, absl::string_view cursor) override {
    books.cursor = std::string(cursor);
    return grpc::Status::OK;
  }

  Books kept;
};

// The handler of the scenes.
class Taker final : public client::EventHandler {
 public:
  explicit Taker(Run* run) : run_(*run) {}

  grpc::Status TakeEvent(const v1::SessionEvent& event) override {
    const Order& order = run_.order;
    seen.push_back(event.event_id());
    Note("handling", event.event_id());
    if (event.event_id() == Text(order, "fail_at")) {
      return {grpc::StatusCode::ABORTED, kHandlerFails};
    }
    const double slow = Number(Part(order, "slow_ms"), event.event_id());
    if (slow > 0) run_.go.WaitFor(std::chrono::milliseconds(static_cast<int64_t>(slow)));
    if (seen.size() == static_cast<size_t>(Number(order, "take"))) run_.stop.TurnOn();
    return grpc::Status::OK;
  }
  void OnStarted(const v1::SubscriptionStarted& started) override {
    skipped = skipped || started.skipped();
  }

  std::vector<std::string> seen;
  bool skipped = false;

 private:
  Run& run_;
};

}  // namespace

Answer Follow(Run* run) {
  const Order& order = run->order;
  client::SubscriptionOptions options;
  ReadRequest(order, &options.request);
  const absl::Duration heartbeat = Timing(order, "heartbeat");
  options.request.mutable_heartbeat_interval()->set_seconds(absl::ToInt64Seconds(heartbeat));
  options.request.mutable_heartbeat_interval()->set_nanos(
      static_cast<int32_t>(absl::ToInt64Nanoseconds(heartbeat % absl::Seconds(1))));
  options.initial_backoff = Timing(order, "first_stream_pause");
  options.max_backoff = Timing(order, "longest_stream_pause");

  Taker taker(run);
  PlaceInMemory place;
  client::PlaceHandler<Books> into_place(&place, [&](Books& books, const v1::SessionEvent& event) {
    books.events.push_back(event.event_id());
    return taker.TakeEvent(event);
  });
  const bool keeps = Flag(order, "place");
  if (keeps) Require(into_place.StartAt(&options.request).ok(), "the place");

  client::EventSubscription subscription(run->connection->channel(), options);
  run->stop.Set([&] { subscription.Cancel(); });
  const grpc::Status status = keeps ? subscription.Run(&into_place) : subscription.Run(&taker);
  run->stop.Set(nullptr);

  Answer answer;
  Set(&answer, "events", taker.seen);
  Set(&answer, "cursor", keeps ? place.kept.cursor : subscription.cursor());
  Set(&answer, "kept", place.kept.events);
  Set(&answer, "raised", status.error_message() == kHandlerFails ? kHandlerFails : Raised(status));
  (*answer.mutable_fields())["skipped"].set_bool_value(taker.skipped);
  return answer;
}

}  // namespace ipp::driver
