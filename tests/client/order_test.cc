#include "client/ippctl/order.h"

#include <gtest/gtest.h>

#include <vector>

namespace ipp::ippctl {
namespace {

namespace v1 = ::kustom::ipp::v1;

struct TaxCase {
  const char* name;
  int64_t total;
  int64_t rate;
  int64_t tax;
};

class IppctlOrderTax : public ::testing::TestWithParam<TaxCase> {};

TEST_P(IppctlOrderTax, IsInsideTheTotalHalfAwayFromZero) {
  EXPECT_EQ(InclusiveTax(GetParam().total, GetParam().rate), GetParam().tax);
}

INSTANTIATE_TEST_SUITE_P(All, IppctlOrderTax,
                         ::testing::ValuesIn(std::vector<TaxCase>{
                             {"Even", 25000, 2500, 5000},
                             {"Large", 200000, 2500, 40000},
                             {"NoRate", 25000, 0, 0},
                             {"NoTotal", 0, 2500, 0},
                             {"RoundsDown", 101, 2500, 20},  // 20.2
                             {"RoundsUp", 103, 2500, 21},    // 20.6
                             {"HalfUp", 1, 10000, 1},        // 0.5
                             {"HalfDownWhenNegative", -1, 10000, -1},
                             {"Negative", -1000, 1200, -107},  // -107.14
                             {"Largest", INT64_MAX, 10000, 4611686018427387904},
                             {"Smallest", INT64_MIN, 10000, -4611686018427387904}}),
                         [](const auto& info) { return info.param.name; });

TEST(IppctlOrderItem, ReadsTheNameFromTheRight) {
  const auto item = ParseItem("Tea, green,2,4500,1200");
  ASSERT_TRUE(item.ok()) << item.status();
  EXPECT_EQ(item->name(), "Tea, green");
  EXPECT_EQ(item->quantity(), 2);
  EXPECT_EQ(item->unit_price(), 4500);
  EXPECT_EQ(item->total_amount(), 9000);
  EXPECT_EQ(item->tax_rate(), 1200);
  EXPECT_EQ(item->total_tax_amount(), 964);
  EXPECT_EQ(item->type(), v1::ORDER_ITEM_TYPE_PHYSICAL);
}

TEST(IppctlOrderItem, TakesTheTypeAndGuessesADiscount) {
  EXPECT_EQ(ParseItem("Post,1,4900,2500,shipping_fee")->type(), v1::ORDER_ITEM_TYPE_SHIPPING_FEE);
  EXPECT_EQ(ParseItem("Post,1,4900,2500, SHIPPING-FEE")->type(), v1::ORDER_ITEM_TYPE_SHIPPING_FEE);
  EXPECT_EQ(ParseItem("Staff,1,-1000,2500")->type(), v1::ORDER_ITEM_TYPE_DISCOUNT);
}

struct BadItem {
  const char* name;
  const char* text;
  const char* message;
};

class IppctlOrderItemRefuses : public ::testing::TestWithParam<BadItem> {};

TEST_P(IppctlOrderItemRefuses, BadText) {
  const auto item = ParseItem(GetParam().text);
  ASSERT_FALSE(item.ok());
  EXPECT_EQ(std::string(item.status().message()), GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    All, IppctlOrderItemRefuses,
    ::testing::ValuesIn(std::vector<BadItem>{
        {"Empty", "", "--item '': expected name,quantity,unit_price,tax_rate[,type]"},
        {"TooFew", "Tea,1,5",
         "--item 'Tea,1,5': expected name,quantity,unit_price,tax_rate[,type]"},
        {"NoName", ",1,5,0", "--item ',1,5,0': the name is empty"},
        {"Quantity", "Tea,x,5,0", "--item 'Tea,x,5,0': quantity 'x' is not a whole number"},
        {"Fraction", "Tea,1,2.50,0",
         "--item 'Tea,1,2.50,0': unit price '2.50' is not a whole number"},
        {"Nothing", "Tea,0,5,0", "--item 'Tea,0,5,0': the quantity must be 1 or more"},
        {"Rate", "Tea,1,5,25000",
         "--item 'Tea,1,5,25000': tax rate 25000 is not 0 to 10000 basis points (2500 is 25 %)"},
        {"Type", "Tea,1,5,0,gift",
         "--item 'Tea,1,5,0,gift': type 'gift' is not one of physical, discount, digital, "
         "shipping-fee, surcharge"},
        {"TooLarge", "Tea,9,9223372036854775807,0",
         "--item 'Tea,9,9223372036854775807,0': the total is too large"}}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace ipp::ippctl
