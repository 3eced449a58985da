#pragma once

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/faults/history.h"

namespace ipp::faults {

inline constexpr char kShop[] = "PM00000001";
inline constexpr char kOtherShop[] = "PM00000002";

// An event as it should be; session "late" is kOtherShop's.
kustom::ipp::v1::SessionEvent Event(const std::string& id, const std::string& session,
                                    kustom::ipp::v1::SessionEventType type,
                                    kustom::ipp::v1::SessionEventSource source);
kustom::ipp::v1::SessionEvent Webhook(const std::string& id, const std::string& session,
                                      kustom::ipp::v1::SessionEventType type);

// A history to be doctored. Session "paid" was created through the gateway, its card declined once
// and then paid; "late" was made elsewhere and expired, which only a read could tell; "cut" is one
// whose create was cut and whose webhooks were lost; "open" goes on.
struct Story {
  Truth truth;
  Ledger ledger;
  std::vector<kustom::ipp::v1::SessionEvent> log;
  std::vector<kustom::ipp::v1::SessionEvent> other;  // what the second observer saw
  std::vector<kustom::ipp::v1::SessionEvent> shop;   // and the one that follows kShop
  WatchObservation watch;

  kustom::ipp::v1::SessionEvent& event(const std::string& id) {
    for (kustom::ipp::v1::SessionEvent& each : log) {
      if (each.event_id() == id) return each;
    }
    throw std::out_of_range(id);
  }
  SentWebhook& webhook(const std::string& id) {
    for (SentWebhook& each : truth.webhooks) {
      if (each.event_id == id) return each;
    }
    throw std::out_of_range(id);
  }
  void Erase(const std::string& id) {
    std::erase_if(log, [&](const auto& each) { return each.event_id() == id; });
  }
  void Swap(const std::string& a, const std::string& b) { std::swap(event(a), event(b)); }
  // The observers saw the log as it now is.
  void Spread() {
    other = log;
    shop.clear();
    for (const kustom::ipp::v1::SessionEvent& each : log) {
      if (each.merchant_id() == kShop) shop.push_back(each);
    }
  }
};

Story GoodStory();
// As the judge gets it.
History Tell(const Story& story);

}  // namespace ipp::faults
