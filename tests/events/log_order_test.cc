#include "server/events/log_order.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

namespace ipp::events {
namespace {

struct OrderRow {
  std::string name;
  int64_t after;
  std::vector<int64_t> shown;
  std::vector<int64_t> used;
  int duplicates;
  int order_violations;
};

void PrintTo(const OrderRow& row, std::ostream* out) { *out << row.name; }

class Straightened : public testing::TestWithParam<OrderRow> {
 protected:
  double Counted(const std::string& what) {
    return metrics_.counter("ipp_events_" + what + "_total", "").value();
  }
  Metrics metrics_;
  LogOrder order_{&metrics_};
};

TEST_P(Straightened, AreTheRowsThatTheStoreShowed) {
  const OrderRow& row = GetParam();
  std::vector<store::StoredEvent> rows;
  for (const int64_t position : row.shown) rows.emplace_back().position = position;
  order_.Straighten(row.after, &rows);
  std::vector<int64_t> used;
  for (const store::StoredEvent& event : rows) used.push_back(event.position);
  EXPECT_EQ(used, row.used);
  EXPECT_EQ(Counted("duplicates"), row.duplicates);
  EXPECT_EQ(Counted("order_violations"), row.order_violations);
  EXPECT_EQ(Counted("gaps"), 0) << "whether it is one, only the bounds can tell";
}

INSTANTIATE_TEST_SUITE_P(Table, Straightened,
                         testing::ValuesIn(std::vector<OrderRow>{
                             {"Nothing", 5, {}, {}, 0, 0},
                             {"One", 5, {6}, {6}, 0, 0},
                             {"InOrder", 5, {6, 7, 8}, {6, 7, 8}, 0, 0},
                             {"FromTheBeginning", 0, {1, 2}, {1, 2}, 0, 0},
                             {"WhatFollowsATrim", 5, {9, 10}, {9, 10}, 0, 0},
                             {"UpToAHole", 5, {6, 7, 9, 10}, {6, 7}, 0, 0},
                             {"UpToTheSecondHole", 5, {8, 9, 11}, {8, 9}, 0, 0},
                             {"Twice", 5, {6, 7, 7, 8}, {6, 7, 8}, 1, 0},
                             {"TwiceAndTwice", 5, {6, 6, 7, 7}, {6, 7}, 2, 0},
                             {"AskedForByNobody", 5, {4, 5, 6}, {6}, 2, 0},
                             {"OnlyOld", 5, {3, 4, 5}, {}, 3, 0},
                             {"OnlyOneOld", 5, {5}, {}, 1, 0},
                             {"Swapped", 5, {7, 6, 8}, {6, 7, 8}, 0, 1},
                             {"Backwards", 5, {8, 7, 6}, {6, 7, 8}, 0, 1},
                             {"SwappedAndTwice", 5, {7, 6, 7, 8}, {6, 7, 8}, 1, 1},
                             {"SwappedAroundAHole", 5, {9, 6, 7}, {6, 7}, 0, 1},
                         }),
                         [](const auto& info) { return info.param.name; });

TEST(LogOrder, LetsAReaderGoForwardsOnly) {
  Metrics metrics;
  LogOrder order(&metrics);
  Counter& duplicates = metrics.counter("ipp_events_duplicates_total", "");
  Counter& violations = metrics.counter("ipp_events_order_violations_total", "");
  EXPECT_TRUE(order.Advances(7, 8));
  EXPECT_TRUE(order.Advances(7, 100)) << "over what does not match";
  EXPECT_EQ(duplicates.value() + violations.value(), 0);
  EXPECT_FALSE(order.Advances(7, 7));
  EXPECT_EQ(duplicates.value(), 1);
  EXPECT_FALSE(order.Advances(7, 6));
  EXPECT_EQ(violations.value(), 1);
}

}  // namespace
}  // namespace ipp::events
