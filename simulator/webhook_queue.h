#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "simulator/dialects.h"
#include "simulator/faults.h"
#include "simulator/json_writer.h"
#include "simulator/webhook_signer.h"
#include "simulator/webhook_transport.h"
#include "simulator/world.h"

namespace ipp::simulator {

// Delivers events to every destination until it answers 2xx, and remembers the result of each
// delivery.
//
// Within one destination the events of a session are sent in order: the next one only after the one
// before was delivered or given up. Different sessions do not wait for each other. Faults are
// evaluated when an event sets off to a destination, and again before each attempt. Everything runs
// on the loop's thread.
class WebhookQueue {
 public:
  struct Options {
    std::chrono::milliseconds initial_backoff{1000};
    double backoff_factor = 2.0;
    std::chrono::milliseconds max_backoff{60'000};
    // An event is given up once it has waited this long between its attempts.
    std::chrono::milliseconds give_up_after{std::chrono::hours(72)};
    bool ordered_by_session = true;
    size_t attempts_at_once = 16;      // a destination
    size_t max_undelivered = 500'000;  // a destination; further ones are dropped
  };
  using RunAfter = std::function<void(std::chrono::milliseconds, std::function<void()>)>;
  static constexpr size_t kMaxEvents = 100'000;  // the oldest are forgotten beyond it

  WebhookQueue(const Options& options, WebhookSigner signer, WebhookTransport& transport,
               RunAfter run_after, IdMaker& ids, Faults& faults, const Dialects& dialects);
  ~WebhookQueue();

  // Replaces the destinations. Events due to a destination that stays remain due; those due to one
  // that is removed are dropped. A new one gets the events from now on.
  void SetDestinations(const std::vector<Url>& urls);

  void Enqueue(WebhookEvent event);

  // Sends a known event again to every destination, after its current delivery if that is still
  // under way. False: no such event.
  bool Resend(const std::string& event_id);

  // Events with a sequence number above `after`, at most `limit`, of those that have a delivery in
  // `state` and are of the session (empty: all). With `detail` also the body, and of each delivery
  // the headers and the last attempts.
  std::string RenderDeliveries(uint64_t after, size_t limit, std::string_view state,
                               std::string_view session_id = {}, bool detail = false) const;
  void RenderCounts(JsonWriter& json) const;

 private:
  enum class State { kDue, kHeld, kWaiting, kDelivered, kGivenUp, kDropped, kLost };
  struct Delivery;
  struct Destination;
  struct Record {
    uint64_t sequence = 0;
    WebhookEvent event;
    std::vector<std::shared_ptr<Delivery>> deliveries;
  };

  static std::string_view NameOf(State state);
  static void Render(const Record& record, bool detail, JsonWriter& json);
  static void RenderAttempts(const Delivery& delivery, JsonWriter& json);
  const std::string& LaneOf(const WebhookEvent& event) const;
  void AddDelivery(const std::shared_ptr<Record>& record,
                   const std::shared_ptr<Destination>& destination);
  std::shared_ptr<Delivery> MakeDelivery(Record& record,
                                         const std::shared_ptr<Destination>& destination);
  void SetOff(Record& record, const std::shared_ptr<Delivery>& delivery, const FaultRule& fault);
  void Hold(const std::shared_ptr<Delivery>& delivery, std::chrono::milliseconds at_most);
  void Release(const std::shared_ptr<Delivery>& delivery);
  void ReleaseOvertaken(const Delivery& overtaker);
  void Line(const std::shared_ptr<Delivery>& delivery);
  void Pump(const std::shared_ptr<Destination>& destination);
  void Attempt(const std::shared_ptr<Delivery>& delivery);
  void OnAnswer(const std::shared_ptr<Delivery>& delivery, WebhookAnswer answer);
  void Settle(const std::shared_ptr<Delivery>& delivery, State state);

  const Options options_;
  const WebhookSigner signer_;
  WebhookTransport& transport_;
  const RunAfter run_after_;
  IdMaker& ids_;
  Faults& faults_;
  const Dialects& dialects_;
  uint64_t event_count_ = 0;
  uint64_t delivery_count_ = 0;
  std::vector<std::shared_ptr<Destination>> destinations_;
  std::deque<std::shared_ptr<Record>> records_;
  std::unordered_map<std::string, std::shared_ptr<Record>> by_id_;
};

}  // namespace ipp::simulator
