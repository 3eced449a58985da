#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "simulator/ids.h"
#include "simulator/session.h"
#include "simulator/sim_clock.h"

namespace ipp::simulator {

using Metadata = std::map<std::string, std::string>;

struct Location {
  std::string id;
  std::string merchant_id;
  std::string name;
  std::string street_address;
  std::string street_address2;
  std::string postal_code;
  std::string city;
  std::string country;
  Time created_at;
  Time updated_at;
};

struct Device {
  std::string id;
  std::string merchant_id;
  std::string hardware_id;
  std::string location_id;  // empty: at no location
  std::string name;
  std::string platform;
  Metadata metadata;
  Time created_at;
};

enum class EnrollmentStatus { kPending, kConsumed, kExpired, kCancelled };

struct Enrollment {
  std::string id;
  std::string code;
  std::string location_id;
  Metadata metadata;
  Time expires_at;
  bool consumed = false;
  bool cancelled = false;

  EnrollmentStatus StatusAt(Time now) const;
};

// Items with an `id`, in the order of their creation.
template <typename T>
class Collection {
 public:
  // Bounds the memory of a long run.
  static constexpr size_t kMaxItems = 200'000;

  bool full() const { return items_.size() >= kMaxItems; }
  const std::vector<std::unique_ptr<T>>& items() const { return items_; }

  T& Add(T item) {
    items_.push_back(std::make_unique<T>(std::move(item)));
    T& added = *items_.back();
    by_id_.emplace(added.id, &added);
    return added;
  }

  T* Find(const std::string& id) const {
    const auto found = by_id_.find(id);
    return found == by_id_.end() ? nullptr : found->second;
  }

  void Erase(const std::string& id) {
    by_id_.erase(id);
    std::erase_if(items_, [&](const auto& item) { return item->id == id; });
  }

 private:
  std::vector<std::unique_ptr<T>> items_;
  std::unordered_map<std::string, T*> by_id_;
};

// Everything of one merchant; other merchants cannot see it.
struct Merchant {
  std::string id;
  Collection<Location> locations;
  Collection<Device> devices;
  Collection<Enrollment> enrollments;
  Collection<Session> sessions;
};

struct WebhookEvent {
  std::string id;
  std::string merchant_id;
  std::string type;
  std::string session_id;
  std::string timestamp;
  std::string body;  // the JSON that is signed and sent
};

// The state of the double and the rules by which it changes. Everything runs on the loop's thread,
// so there is no lock. Changes that the real service announces are passed to the sink, in their
// order.
class World {
 public:
  using EventSink = std::function<void(WebhookEvent)>;

  // A session that stays open is EXPIRED after `session_ttl`; zero: never. A merchant starts with
  // `locations` of them.
  World(SimClock& clock, IdMaker& ids, std::chrono::seconds session_ttl, size_t locations,
        EventSink sink);

  // Its locations have ids that follow from the order of the calls.
  Merchant& AddMerchant(const std::string& id);
  Merchant* FindMerchant(std::string_view id);
  const std::vector<std::unique_ptr<Merchant>>& merchants() const { return merchants_; }

  // All of all merchants, in the order of their making; never removed.
  const std::vector<Session*>& sessions() const { return sessions_; }

  Location& AddLocation(Merchant& merchant, Location location);

  // Sets status, times and id of a validated session and announces it.
  Session& AddSession(Merchant& merchant, Session session);

  // Expires the session if its time has come; call it before its status is read.
  void Settle(Session& session);

  // Takes the step and announces it. Returns false, without a change, if the step is not possible.
  bool Advance(Session& session, SessionStep step, std::string_view failure_reason = {});

  // Pairs a phone. The enrollment must be pending.
  Device& Consume(Merchant& merchant, Enrollment& enrollment);

  SimClock& clock() { return clock_; }
  IdMaker& ids() { return ids_; }

 private:
  void Emit(const Session& session, std::string_view type, std::string_view failure_reason);

  SimClock& clock_;
  IdMaker& ids_;
  const std::chrono::seconds session_ttl_;
  const size_t locations_;
  const EventSink sink_;
  std::vector<std::unique_ptr<Merchant>> merchants_;
  std::vector<Session*> sessions_;
};

}  // namespace ipp::simulator
