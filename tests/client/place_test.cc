#include "ippclient/place.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ipp::client {
namespace {

namespace v1 = ::kustom::ipp::v1;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Rows = std::vector<std::string>;

// A table, and what a transaction would make of it.
class Table final : public Place<Rows> {
 public:
  grpc::Status Load(std::string* cursor) override {
    *cursor = kept;
    return load;
  }
  grpc::Status InTransaction(const Work& work) override {
    Rows written = rows;
    kept_in_work_ = kept;
    const grpc::Status status = work(written);
    if (!status.ok()) return status;
    rows = written;
    kept = kept_in_work_;
    return grpc::Status::OK;
  }
  grpc::Status Store(Rows&, absl::string_view cursor) override {
    if (store.ok()) kept_in_work_ = std::string(cursor);
    return store;
  }

  Rows rows;
  std::string kept;
  grpc::Status load, store;

 private:
  std::string kept_in_work_;
};

v1::SessionEvent Event(const std::string& id) {
  v1::SessionEvent event;
  event.set_event_id(id);
  event.set_cursor("after-" + id);
  return event;
}

class PlaceTest : public ::testing::Test {
 protected:
  const grpc::Status broken_{grpc::StatusCode::ABORTED, "broken"};
  grpc::Status handled_;
  Table table_;
  PlaceHandler<Rows> handler_{&table_, [this](Rows& rows, const v1::SessionEvent& event) {
                                rows.push_back(event.event_id());
                                return handled_;
                              }};
};

TEST_F(PlaceTest, StartsWhereTheRequestSaysOnlyAtTheVeryFirstStart) {
  v1::SubscribeSessionEventsRequest request;
  request.set_position(v1::START_POSITION_FROM_OLDEST);
  EXPECT_TRUE(handler_.StartAt(&request).ok());
  EXPECT_EQ(request.position(), v1::START_POSITION_FROM_OLDEST);
  table_.kept = "here";
  EXPECT_TRUE(handler_.StartAt(&request).ok());
  EXPECT_EQ(request.after_cursor(), "here");
  table_.load = broken_;
  EXPECT_EQ(handler_.StartAt(&request).error_message(), "broken");
}

TEST_F(PlaceTest, KeepsTheCursorWithWhatTheHandlerWrote) {
  EXPECT_TRUE(handler_.TakeEvent(Event("e1")).ok());
  EXPECT_THAT(table_.rows, ElementsAre("e1"));
  EXPECT_EQ(table_.kept, "after-e1");
  EXPECT_TRUE(handler_.TakePlace("heartbeat").ok());
  EXPECT_EQ(table_.kept, "heartbeat");
}

TEST_F(PlaceTest, KeepsNeitherWhenTheHandlerFails) {
  handled_ = broken_;
  EXPECT_EQ(handler_.TakeEvent(Event("e1")).error_message(), "broken");
  EXPECT_THAT(table_.rows, IsEmpty());
  EXPECT_EQ(table_.kept, "");
}

TEST_F(PlaceTest, KeepsNeitherWhenTheCursorCannotBeStored) {
  table_.store = broken_;
  EXPECT_EQ(handler_.TakeEvent(Event("e1")).error_message(), "broken");
  EXPECT_THAT(table_.rows, IsEmpty());
  EXPECT_FALSE(handler_.TakePlace("heartbeat").ok());
}

}  // namespace
}  // namespace ipp::client
