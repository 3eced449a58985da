#include "simulator/webhook_queue.h"

#include <algorithm>
#include <utility>

#include "simulator/sim_clock.h"
#include "simulator/webhook_attempt.h"

namespace ipp::simulator {

namespace {

constexpr size_t kKeptAttempts = 10;  // of a delivery, for RenderDeliveries

struct PastAttempt {
  std::string at;  // the real time
  std::string timestamp;
  std::string signature;
  WebhookAnswer answer = {};
  bool answered = false;
};

}  // namespace

// One event on its way to one destination.
struct WebhookQueue::Delivery {
  std::shared_ptr<Destination> destination;
  WebhookEvent event;
  uint64_t number = 0;  // counts up, in the order of the events
  std::string webhook_id;
  std::string lane;
  State state = State::kDue;
  bool again = false;  // once more after this
  int attempts = 0;
  int last_status = 0;
  std::deque<PastAttempt> past;  // the last ones
  std::string_view fault;        // the last one
  bool until_overtaken = false;
  std::chrono::milliseconds backoff{0};
  std::chrono::milliseconds waited{0};

  bool open() const {
    return state == State::kDue || state == State::kHeld || state == State::kWaiting;
  }
};

struct WebhookQueue::Destination {
  Url url;
  bool removed = false;
  size_t in_flight = 0;
  size_t open = 0;
  std::deque<std::shared_ptr<Delivery>> ready;
  // The open deliveries of each session; only the first is ready, in flight or waiting.
  std::unordered_map<std::string, std::deque<std::shared_ptr<Delivery>>> lanes;
  // By number: those kept back by a fault, and of them those that wait for a later one.
  std::map<uint64_t, std::shared_ptr<Delivery>> held;
  std::map<uint64_t, std::shared_ptr<Delivery>> held_until_overtaken;
};

WebhookQueue::WebhookQueue(const Options& options, WebhookSigner signer,
                           WebhookTransport& transport, RunAfter run_after, IdMaker& ids,
                           Faults& faults, const Dialects& dialects)
    : options_(options),
      signer_(std::move(signer)),
      transport_(transport),
      run_after_(std::move(run_after)),
      ids_(ids),
      faults_(faults),
      dialects_(dialects) {}

WebhookQueue::~WebhookQueue() {
  SetDestinations({});  // a destination and its open deliveries hold each other
}

std::string_view WebhookQueue::NameOf(State state) {
  switch (state) {
    case State::kDue:
      return "due";
    case State::kHeld:
      return "held";
    case State::kWaiting:
      return "waiting";
    case State::kDelivered:
      return "delivered";
    case State::kGivenUp:
      return "given_up";
    case State::kDropped:
      return "dropped";
    case State::kLost:
      return "lost";
  }
  return {};
}

const std::string& WebhookQueue::LaneOf(const WebhookEvent& event) const {
  return options_.ordered_by_session ? event.session_id : event.id;
}

void WebhookQueue::SetDestinations(const std::vector<Url>& urls) {
  std::vector<std::shared_ptr<Destination>> next;
  for (const Url& url : urls) {
    const auto same = [&](const auto& destination) { return destination->url.text == url.text; };
    if (std::any_of(next.begin(), next.end(), same)) continue;
    const auto kept = std::find_if(destinations_.begin(), destinations_.end(), same);
    if (kept != destinations_.end()) {
      next.push_back(*kept);
    } else {
      next.push_back(std::make_shared<Destination>());
      next.back()->url = url;
    }
  }
  for (const auto& old : destinations_) {
    if (std::find(next.begin(), next.end(), old) != next.end()) continue;
    old->removed = true;
    old->ready.clear();
    for (const auto& [session, lane] : std::exchange(old->lanes, {})) {
      for (const auto& delivery : lane) delivery->state = State::kDropped;
    }
    for (const auto& [number, delivery] : std::exchange(old->held, {})) {
      delivery->state = State::kDropped;
    }
    old->held_until_overtaken.clear();
    old->open = 0;
  }
  destinations_ = std::move(next);
}

void WebhookQueue::Enqueue(WebhookEvent event) {
  auto record = std::make_shared<Record>();
  record->sequence = ++event_count_;
  record->event = std::move(event);
  by_id_[record->event.id] = record;
  records_.push_back(record);
  for (const auto& destination : destinations_) AddDelivery(record, destination);
  if (records_.size() > kMaxEvents) {
    by_id_.erase(records_.front()->event.id);
    records_.pop_front();
  }
}

void WebhookQueue::AddDelivery(const std::shared_ptr<Record>& record,
                               const std::shared_ptr<Destination>& destination) {
  const auto delivery = MakeDelivery(*record, destination);
  if (destination->open >= options_.max_undelivered) {
    delivery->state = State::kDropped;
    return;
  }
  const auto fault = faults_.Strike(FaultPoint::kDelivery, "webhook", record->event.type);
  fault == nullptr ? Line(delivery) : SetOff(*record, delivery, *fault);
}

std::shared_ptr<WebhookQueue::Delivery> WebhookQueue::MakeDelivery(
    Record& record, const std::shared_ptr<Destination>& destination) {
  auto delivery = std::make_shared<Delivery>();
  delivery->destination = destination;
  delivery->event = record.event;
  delivery->number = ++delivery_count_;
  delivery->webhook_id = ids_.WebhookId();
  delivery->lane = LaneOf(record.event);
  record.deliveries.push_back(delivery);
  return delivery;
}

void WebhookQueue::SetOff(Record& record, const std::shared_ptr<Delivery>& delivery,
                          const FaultRule& fault) {
  delivery->fault = Name(fault.kind);
  if (fault.kind == FaultKind::kLose) {
    delivery->state = State::kLost;
  } else if (fault.kind == FaultKind::kDouble) {
    const auto twin = MakeDelivery(record, delivery->destination);
    twin->fault = delivery->fault;
    twin->webhook_id = delivery->webhook_id;
    twin->lane = delivery->webhook_id;  // does not wait for the first, nor the session for it
    Line(delivery);
    Hold(twin, fault.delay);
  } else {
    delivery->until_overtaken = fault.kind == FaultKind::kReorder;
    Hold(delivery, fault.delay);
  }
}

void WebhookQueue::Hold(const std::shared_ptr<Delivery>& delivery,
                        std::chrono::milliseconds at_most) {
  if (at_most.count() == 0) return Line(delivery);
  Destination& destination = *delivery->destination;
  delivery->state = State::kHeld;
  ++destination.open;
  destination.held.emplace(delivery->number, delivery);
  if (delivery->until_overtaken) {
    destination.held_until_overtaken.emplace(delivery->number, delivery);
  }
  run_after_(at_most, [this, delivery] { Release(delivery); });
}

void WebhookQueue::Release(const std::shared_ptr<Delivery>& delivery) {
  if (delivery->state != State::kHeld) return;
  Destination& destination = *delivery->destination;
  destination.held.erase(delivery->number);
  destination.held_until_overtaken.erase(delivery->number);
  --destination.open;
  Line(delivery);
}

void WebhookQueue::ReleaseOvertaken(const Delivery& overtaker) {
  auto& waiting = overtaker.destination->held_until_overtaken;
  while (!waiting.empty() && waiting.begin()->first < overtaker.number) {
    Release(std::shared_ptr<Delivery>(waiting.begin()->second));
  }
}

void WebhookQueue::Line(const std::shared_ptr<Delivery>& delivery) {
  auto& lane = delivery->destination->lanes[delivery->lane];
  lane.push_back(delivery);
  ++delivery->destination->open;
  delivery->state = State::kDue;
  delivery->backoff = options_.initial_backoff;
  delivery->waited = std::chrono::milliseconds(0);
  if (lane.size() > 1) return;
  delivery->destination->ready.push_back(delivery);
  Pump(delivery->destination);
}

void WebhookQueue::Pump(const std::shared_ptr<Destination>& destination) {
  while (!destination->ready.empty() && destination->in_flight < options_.attempts_at_once) {
    const auto delivery = std::move(destination->ready.front());
    destination->ready.pop_front();
    Attempt(delivery);
  }
}

void WebhookQueue::Attempt(const std::shared_ptr<Delivery>& delivery) {
  const auto fault = faults_.Strike(FaultPoint::kAttempt, "webhook", delivery->event.type);
  if (fault != nullptr) delivery->fault = Name(fault->kind);
  ++delivery->attempts;
  ++delivery->destination->in_flight;
  WebhookRequest request = MakeAttempt(delivery->destination->url, delivery->webhook_id,
                                       delivery->event.body, dialects_, signer_, fault.get());
  delivery->past.push_back({.at = FormatSeconds(SimClock::RealNow()),
                            .timestamp = request.timestamp,
                            .signature = request.signature});
  if (delivery->past.size() > kKeptAttempts) delivery->past.pop_front();
  transport_.Post(std::move(request), [this, delivery](WebhookAnswer answer) {
    OnAnswer(delivery, std::move(answer));
  });
}

void WebhookQueue::OnAnswer(const std::shared_ptr<Delivery>& delivery, WebhookAnswer answer) {
  const auto destination = delivery->destination;
  const int status = answer.status;
  --destination->in_flight;
  delivery->past.back().answer = std::move(answer);
  delivery->past.back().answered = true;
  delivery->last_status = status;
  if (delivery->open()) {
    if (status >= 200 && status < 300) {
      Settle(delivery, State::kDelivered);
      ReleaseOvertaken(*delivery);
    } else if (delivery->waited >= options_.give_up_after) {
      Settle(delivery, State::kGivenUp);
    } else {
      delivery->state = State::kWaiting;
      const auto wait = delivery->backoff;
      delivery->waited += wait;
      const auto grown = std::chrono::duration<double, std::milli>(wait) * options_.backoff_factor;
      delivery->backoff = std::min(options_.max_backoff,
                                   std::chrono::duration_cast<std::chrono::milliseconds>(grown));
      run_after_(wait, [this, delivery] {
        if (delivery->state != State::kWaiting) return;
        delivery->state = State::kDue;
        delivery->destination->ready.push_back(delivery);
        Pump(delivery->destination);
      });
    }
  }
  Pump(destination);
}

void WebhookQueue::Settle(const std::shared_ptr<Delivery>& delivery, State state) {
  delivery->state = state;
  Destination& destination = *delivery->destination;
  const auto lane = destination.lanes.find(delivery->lane);
  lane->second.pop_front();
  --destination.open;
  if (lane->second.empty()) {
    destination.lanes.erase(lane);
  } else {
    destination.ready.push_back(lane->second.front());
  }
  if (std::exchange(delivery->again, false)) Line(delivery);
}

bool WebhookQueue::Resend(const std::string& event_id) {
  const auto found = by_id_.find(event_id);
  if (found == by_id_.end()) return false;
  const auto record = found->second;
  for (const auto& destination : destinations_) {
    const auto known =
        std::find_if(record->deliveries.begin(), record->deliveries.end(),
                     [&](const auto& delivery) { return delivery->destination == destination; });
    if (known == record->deliveries.end()) {
      AddDelivery(record, destination);
    } else if ((*known)->open()) {
      (*known)->again = true;
    } else {
      Line(*known);
    }
  }
  return true;
}

std::string WebhookQueue::RenderDeliveries(uint64_t after, size_t limit, std::string_view state,
                                           std::string_view session_id, bool detail) const {
  JsonWriter json;
  json.BeginObject();
  json.Key("total").Integer(static_cast<int64_t>(event_count_));
  json.Key("urls").BeginArray();
  for (const auto& destination : destinations_) json.String(destination->url.text);
  json.EndArray();
  json.Key("events").BeginArray();
  const auto wanted = [&](const auto& delivery) { return NameOf(delivery->state) == state; };
  for (const auto& record : records_) {
    if (record->sequence <= after) continue;
    if (!session_id.empty() && record->event.session_id != session_id) continue;
    const auto& deliveries = record->deliveries;
    if (!state.empty() && std::none_of(deliveries.begin(), deliveries.end(), wanted)) continue;
    if (limit-- == 0) break;
    Render(*record, detail, json);
  }
  json.EndArray();
  json.EndObject();
  return json.Take();
}

void WebhookQueue::RenderAttempts(const Delivery& delivery, JsonWriter& json) {
  json.Key("tries").BeginArray();
  for (const PastAttempt& attempt : delivery.past) {
    json.BeginObject();
    json.Key("at").String(attempt.at);
    json.Key("webhook_timestamp").String(attempt.timestamp);
    json.Key("webhook_signature").String(attempt.signature);
    json.Key("answered").Bool(attempt.answered);
    json.Key("status").Integer(attempt.answer.status);
    json.Key("answer").String(attempt.answer.text);
    json.EndObject();
  }
  json.EndArray();
}

void WebhookQueue::Render(const Record& record, bool detail, JsonWriter& json) {
  json.BeginObject();
  json.Key("sequence").Integer(static_cast<int64_t>(record.sequence));
  json.Key("event_id").String(record.event.id);
  json.Key("type").String(record.event.type);
  json.Key("merchant_id").String(record.event.merchant_id);
  json.Key("session_id").String(record.event.session_id);
  json.Key("timestamp").String(record.event.timestamp);
  if (detail) json.Key("body").String(record.event.body);
  json.Key("deliveries").BeginArray();
  for (const auto& delivery : record.deliveries) {
    json.BeginObject();
    json.Key("url").String(delivery->destination->url.text);
    json.Key("webhook_id").String(delivery->webhook_id);
    json.Key("state").String(NameOf(delivery->state));
    json.Key("attempts").Integer(delivery->attempts);
    json.Key("last_status").Integer(delivery->last_status);
    json.Key("fault");
    delivery->fault.empty() ? json.Null() : json.String(delivery->fault);
    if (detail) RenderAttempts(*delivery, json);
    json.EndObject();
  }
  json.EndArray();
  json.EndObject();
}

void WebhookQueue::RenderCounts(JsonWriter& json) const {
  int64_t open = 0;
  for (const auto& destination : destinations_) open += static_cast<int64_t>(destination->open);
  json.BeginObject();
  json.Key("events").Integer(static_cast<int64_t>(records_.size()));
  json.Key("undelivered").Integer(open);
  json.EndObject();
}

}  // namespace ipp::simulator
