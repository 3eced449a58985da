#include "simulator/webhook_queue.h"

#include <algorithm>
#include <utility>

namespace ipp::simulator {

// One event on its way to one destination.
struct WebhookQueue::Delivery {
  std::shared_ptr<Destination> destination;
  WebhookEvent event;
  std::string webhook_id;
  State state = State::kDue;
  bool again = false;  // once more after this
  int attempts = 0;
  int last_status = 0;
  std::chrono::milliseconds backoff{0};
  std::chrono::milliseconds waited{0};

  bool open() const { return state == State::kDue || state == State::kWaiting; }
};

struct WebhookQueue::Destination {
  Url url;
  bool removed = false;
  size_t in_flight = 0;
  std::deque<std::shared_ptr<Delivery>> ready;
  // The open deliveries of each session; only the first is ready, in flight or waiting.
  std::unordered_map<std::string, std::deque<std::shared_ptr<Delivery>>> lanes;
};

WebhookQueue::WebhookQueue(const Options& options, WebhookSigner signer,
                           WebhookTransport& transport, RunAfter run_after, IdMaker& ids)
    : options_(options),
      signer_(std::move(signer)),
      transport_(transport),
      run_after_(std::move(run_after)),
      ids_(ids) {}

WebhookQueue::~WebhookQueue() {
  SetDestinations({});  // a destination and its open deliveries hold each other
}

std::string_view WebhookQueue::Name(State state) {
  switch (state) {
    case State::kDue:
      return "due";
    case State::kWaiting:
      return "waiting";
    case State::kDelivered:
      return "delivered";
    case State::kGivenUp:
      return "given_up";
    case State::kDropped:
      return "dropped";
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
  }
  destinations_ = std::move(next);
}

void WebhookQueue::Enqueue(WebhookEvent event) {
  auto record = std::make_shared<Record>();
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
  auto delivery = std::make_shared<Delivery>();
  delivery->destination = destination;
  delivery->event = record->event;
  delivery->webhook_id = ids_.WebhookId();
  record->deliveries.push_back(delivery);
  Line(delivery);
}

void WebhookQueue::Line(const std::shared_ptr<Delivery>& delivery) {
  auto& lane = delivery->destination->lanes[LaneOf(delivery->event)];
  lane.push_back(delivery);
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
  const int64_t now =
      std::chrono::duration_cast<std::chrono::seconds>(SimClock::RealNow().time_since_epoch())
          .count();
  WebhookRequest request;
  request.url = delivery->destination->url;
  request.webhook_id = delivery->webhook_id;
  // Real time, whatever the simulated clock says: receivers refuse what is too old or too new.
  request.timestamp = std::to_string(now);
  request.signature = signer_.Sign(delivery->webhook_id, now, delivery->event.body);
  request.body = delivery->event.body;
  ++delivery->attempts;
  ++delivery->destination->in_flight;
  transport_.Post(std::move(request), [this, delivery](int status) { OnAnswer(delivery, status); });
}

void WebhookQueue::OnAnswer(const std::shared_ptr<Delivery>& delivery, int status) {
  const auto destination = delivery->destination;
  --destination->in_flight;
  delivery->last_status = status;
  if (delivery->open()) {
    if (status >= 200 && status < 300) {
      Settle(delivery, State::kDelivered);
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
  const auto lane = destination.lanes.find(LaneOf(delivery->event));
  lane->second.pop_front();
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

std::string WebhookQueue::RenderDeliveries() const {
  JsonWriter json;
  json.BeginObject();
  json.Key("urls").BeginArray();
  for (const auto& destination : destinations_) json.String(destination->url.text);
  json.EndArray();
  json.Key("events").BeginArray();
  for (const auto& record : records_) {
    json.BeginObject();
    json.Key("event_id").String(record->event.id);
    json.Key("type").String(record->event.type);
    json.Key("merchant_id").String(record->event.merchant_id);
    json.Key("session_id").String(record->event.session_id);
    json.Key("timestamp").String(record->event.timestamp);
    json.Key("deliveries").BeginArray();
    for (const auto& delivery : record->deliveries) {
      json.BeginObject();
      json.Key("url").String(delivery->destination->url.text);
      json.Key("webhook_id").String(delivery->webhook_id);
      json.Key("state").String(Name(delivery->state));
      json.Key("attempts").Integer(delivery->attempts);
      json.Key("last_status").Integer(delivery->last_status);
      json.EndObject();
    }
    json.EndArray();
    json.EndObject();
  }
  json.EndArray();
  json.EndObject();
  return json.Take();
}

void WebhookQueue::RenderCounts(JsonWriter& json) const {
  int64_t open = 0;
  for (const auto& destination : destinations_) {
    for (const auto& [session, lane] : destination->lanes) {
      open += static_cast<int64_t>(lane.size());
    }
  }
  json.BeginObject();
  json.Key("events").Integer(static_cast<int64_t>(records_.size()));
  json.Key("undelivered").Integer(open);
  json.EndObject();
}

}  // namespace ipp::simulator
