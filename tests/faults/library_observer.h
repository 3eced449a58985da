#pragma once

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "ippclient/connection.h"
#include "ippclient/event_subscription.h"
#include "tests/faults/observer.h"

namespace ipp::faults {

// A subscriber as the product's client library makes it: it reconnects and resumes by itself, at
// whichever of the gateways is there.
class LibraryObserver final : public Observer, private client::EventHandler {
 public:
  LibraryObserver(std::string name, const std::vector<std::string>& gateways,
                  const kustom::ipp::v1::SessionEventFilter& filter, Changes* changes);
  ~LibraryObserver() override;

  Observation observation() const override { return notebook_.observation(); }

 private:
  void OnEvent(const kustom::ipp::v1::SessionEvent& event) override;
  void OnStarted(const kustom::ipp::v1::SubscriptionStarted& started) override;
  void OnCursor(absl::string_view cursor) override;

  Notebook notebook_;
  std::shared_ptr<client::Connection> connection_;
  std::unique_ptr<client::EventSubscription> subscription_;
  std::string due_cursor_;  // of the event that was just delivered
  std::thread thread_;
};

}  // namespace ipp::faults
