#pragma once

#include <grpcpp/support/status.h>

#include <functional>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "ippclient/event_subscription.h"
#include "kustom/ipp/v1/session_event.pb.h"

namespace ipp::client {

// Where a subscription is, kept in the handler's own database: the cursor moves in the transaction
// of what the handler wrote, so that both are there or neither. Every error is the program's own:
// it ends the subscription, which returns it.
template <typename Transaction>
class Place {
 public:
  using Work = std::function<grpc::Status(Transaction& transaction)>;

  virtual ~Place() = default;

  // The cursor; empty at the very first start.
  virtual grpc::Status Load(std::string* cursor) = 0;
  // Begins a transaction, calls `work`, and commits if that returns OK; else it rolls back.
  virtual grpc::Status InTransaction(const Work& work) = 0;
  // Writes the cursor in the transaction.
  virtual grpc::Status Store(Transaction& transaction, absl::string_view cursor) = 0;
};

// Handles each event in a transaction of the place, which stores its cursor, too:
//
//   ipp::client::PlaceHandler<pqxx::work> books(&place, [](pqxx::work& work, const auto& event)
//   {…}); if (grpc::Status status = books.StartAt(&options.request); !status.ok()) return status;
//   ipp::client::EventSubscription(channel, options).Run(&books);
template <typename Transaction>
class PlaceHandler final : public EventHandler {
 public:
  using Take = std::function<grpc::Status(Transaction& transaction,
                                          const kustom::ipp::v1::SessionEvent& event)>;

  // `place` must outlive the handler.
  PlaceHandler(Place<Transaction>* place, Take take) : place_(*place), take_(std::move(take)) {}

  // Puts the place's cursor into the request, unless it has none yet: then the request says where
  // the first start is.
  grpc::Status StartAt(kustom::ipp::v1::SubscribeSessionEventsRequest* request) {
    std::string cursor;
    grpc::Status status = place_.Load(&cursor);
    if (status.ok() && !cursor.empty()) request->set_after_cursor(cursor);
    return status;
  }

  grpc::Status TakeEvent(const kustom::ipp::v1::SessionEvent& event) override {
    return place_.InTransaction([&](Transaction& transaction) {
      grpc::Status status = take_(transaction, event);
      return status.ok() ? place_.Store(transaction, event.cursor()) : status;
    });
  }
  // A place without an event: of a heartbeat, for example.
  grpc::Status TakePlace(absl::string_view cursor) override {
    return place_.InTransaction(
        [&](Transaction& transaction) { return place_.Store(transaction, cursor); });
  }

 private:
  Place<Transaction>& place_;
  const Take take_;
};

}  // namespace ipp::client
