#include "simulator/world.h"

#include <cstdio>
#include <string>
#include <utility>

#include "simulator/render.h"

namespace ipp::simulator {
namespace {

// `id_number` makes the id; `shop` counts from 1 within the merchant and picks the address.
Location SeededLocation(size_t id_number, size_t shop) {
  char id[40];
  std::snprintf(id, sizeof(id), "10c00000-0000-4000-8000-%012zx", id_number);
  Location location;
  location.id = id;
  if (shop == 2) {
    location.name = "Hamnen";
    location.street_address = "Skeppsbron 12";
    location.postal_code = "41121";
    location.city = "Göteborg";
  } else {
    location.name = shop == 1 ? "Storgatan" : "Storgatan, shop " + std::to_string(shop);
    location.street_address = "Storgatan " + std::to_string(shop);
    location.postal_code = "11455";
    location.city = "Stockholm";
  }
  location.country = "SE";
  return location;
}

}  // namespace

EnrollmentStatus Enrollment::StatusAt(Time now) const {
  if (cancelled) return EnrollmentStatus::kCancelled;
  if (consumed) return EnrollmentStatus::kConsumed;
  return now >= expires_at ? EnrollmentStatus::kExpired : EnrollmentStatus::kPending;
}

World::World(SimClock& clock, IdMaker& ids, std::chrono::seconds session_ttl, size_t locations,
             EventSink sink)
    : clock_(clock),
      ids_(ids),
      session_ttl_(session_ttl),
      locations_(locations),
      sink_(std::move(sink)) {}

Merchant& World::AddMerchant(const std::string& id) {
  merchants_.push_back(std::make_unique<Merchant>());
  Merchant& merchant = *merchants_.back();
  merchant.id = id;
  const size_t before = (merchants_.size() - 1) * locations_;
  for (size_t i = 1; i <= locations_; ++i) AddLocation(merchant, SeededLocation(before + i, i));
  return merchant;
}

Merchant* World::FindMerchant(std::string_view id) {
  for (const auto& merchant : merchants_) {
    if (merchant->id == id) return merchant.get();
  }
  return nullptr;
}

Location& World::AddLocation(Merchant& merchant, Location location) {
  location.merchant_id = merchant.id;
  location.created_at = location.updated_at = clock_.Now();
  return merchant.locations.Add(std::move(location));
}

Session& World::AddSession(Merchant& merchant, Session session) {
  session.id = ids_.Uuid();
  session.merchant_id = merchant.id;
  session.status = SessionStatus::kCreated;
  session.created_at = clock_.Now();
  session.history = {{session.status, session.created_at}};
  session.json = RenderSession(session);
  Session& added = merchant.sessions.Add(std::move(session));
  sessions_.push_back(&added);
  Emit(added, "ipp.session.created", {});
  return added;
}

void World::Settle(Session& session) {
  if (session_ttl_.count() == 0 || IsFinal(session.status)) return;
  if (clock_.Now() - session.created_at >= session_ttl_) Advance(session, SessionStep::kExpire);
}

bool World::Advance(Session& session, SessionStep step, std::string_view failure_reason) {
  const auto next = Next(session.status, step);
  if (!next) return false;
  if (session.status != *next) session.history.push_back({*next, clock_.Now()});
  session.status = *next;
  if (step == SessionStep::kDecline) session.failure_reason = failure_reason;
  if (step == SessionStep::kPay) {
    session.order_id = ids_.Uuid();
    session.purchase_completed_at = FormatSeconds(clock_.Now());
  }
  session.json = RenderSession(session);
  if (const auto type = EventType(step); !type.empty()) Emit(session, type, failure_reason);
  return true;
}

Device& World::Consume(Merchant& merchant, Enrollment& enrollment) {
  enrollment.consumed = true;
  Device device;
  device.id = ids_.Uuid();
  device.merchant_id = merchant.id;
  device.hardware_id = ids_.HardwareId();
  device.location_id = enrollment.location_id;
  device.name = "Simulated phone";
  device.platform = "IOS";
  device.metadata = enrollment.metadata;
  device.created_at = clock_.Now();
  return merchant.devices.Add(std::move(device));
}

void World::Emit(const Session& session, std::string_view type, std::string_view failure_reason) {
  WebhookEvent event;
  event.id = ids_.EventId();
  event.merchant_id = session.merchant_id;
  event.type = std::string(type);
  event.session_id = session.id;
  event.timestamp = FormatNanos(clock_.Now());
  event.body = RenderEvent(event, session, failure_reason);
  sink_(std::move(event));
}

}  // namespace ipp::simulator
