#include "server/rpc/page_token.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "kustom/ipp/v1/device.pb.h"
#include "kustom/ipp/v1/location.pb.h"
#include "server/base/error.h"

namespace ipp::rpc {
namespace {

using ::testing::ElementsAre;
using ::testing::Field;
namespace v1 = kustom::ipp::v1;

constexpr int64_t kMax = std::numeric_limits<int64_t>::max();

v1::ListDevicesRequest Request() {
  v1::ListDevicesRequest request;
  request.set_page_size(10);
  request.set_location_id("6f1c7a3e-4b1d-4c56-9d6b-0a2f5c1b7e90");
  (*request.mutable_metadata())["store"] = "1";
  (*request.mutable_metadata())["floor"] = "2";
  return request;
}

void ExpectRefused(const v1::ListDevicesRequest& request, absl::string_view scope = "PM1",
                   int64_t largest = kMax) {
  const absl::Status status = DecodePageToken(request, scope, largest).status();
  ASSERT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << request.page_token();
  EXPECT_THAT(GetErrorDetail(status).violations,
              ElementsAre(Field(&FieldViolation::field, "page_token")));
}

class PageNumber : public testing::TestWithParam<int64_t> {};

TEST_P(PageNumber, ComesBackFromItsToken) {
  v1::ListDevicesRequest request = Request();
  request.set_page_token(EncodePageToken(request, "PM1", GetParam()));
  const auto number = DecodePageToken(request, "PM1", kMax);
  ASSERT_TRUE(number.ok()) << number.status();
  EXPECT_EQ(*number, GetParam());
}

INSTANTIATE_TEST_SUITE_P(Table, PageNumber,
                         testing::Values(0, 1, 255, 256, int64_t{1} << 40,
                                         std::numeric_limits<int64_t>::max()));

TEST(PageToken, IsZeroWhenEmpty) { EXPECT_EQ(*DecodePageToken(Request(), "PM1", kMax), 0); }

TEST(PageToken, IsRefusedWithANumberThatNobodyGaveOut) {
  v1::ListDevicesRequest request = Request();
  constexpr int64_t kLargest = std::numeric_limits<int32_t>::max() - 1;
  request.set_page_token(EncodePageToken(request, "PM1", kLargest));
  EXPECT_EQ(*DecodePageToken(request, "PM1", kLargest), kLargest);
  for (const int64_t number : {kLargest + 1, int64_t{1} << 32, (int64_t{1} << 32) + 3, kMax}) {
    request.set_page_token(EncodePageToken(request, "PM1", number));
    ExpectRefused(request, "PM1", kLargest);
  }
}

TEST(PageToken, OfEachPageIsBoundToTheListAndNotToTheTokenBefore) {
  v1::ListDevicesRequest request = Request();
  request.set_page_token(EncodePageToken(request, "PM1", 1));
  request.set_page_token(EncodePageToken(request, "PM1", 2));
  EXPECT_EQ(*DecodePageToken(request, "PM1", kMax), 2);
}

TEST(PageToken, DoesNotDependOnTheOrderOfAMap) {
  v1::ListDevicesRequest one, other;
  for (int i = 0; i < 5; ++i) (*one.mutable_metadata())[absl::StrCat(i)] = "x";
  for (int i = 4; i >= 0; --i) (*other.mutable_metadata())[absl::StrCat(i)] = "x";
  EXPECT_EQ(EncodePageToken(one, "PM1", 1), EncodePageToken(other, "PM1", 1));
}

TEST(PageToken, IsRefusedWithNegativeNumbers) {
  for (const int64_t number : {int64_t{-1}, std::numeric_limits<int64_t>::min()}) {
    v1::ListDevicesRequest request = Request();
    request.set_page_token(EncodePageToken(request, "PM1", number));
    ExpectRefused(request);
  }
}

TEST(PageToken, IsRefusedForAnotherMerchant) {
  v1::ListDevicesRequest request = Request();
  request.set_page_token(EncodePageToken(request, "PM1", 1));
  ExpectRefused(request, "PM2");
  ExpectRefused(request, "");
}

struct OtherRow {
  std::string name;
  std::function<void(v1::ListDevicesRequest*)> change;
};

void PrintTo(const OtherRow& row, std::ostream* out) { *out << row.name; }

class OtherList : public testing::TestWithParam<OtherRow> {};

TEST_P(OtherList, RefusesTheToken) {
  v1::ListDevicesRequest request = Request();
  request.set_page_token(EncodePageToken(request, "PM1", 1));
  GetParam().change(&request);
  ExpectRefused(request);
}

INSTANTIATE_TEST_SUITE_P(
    Table, OtherList,
    testing::ValuesIn(std::vector<OtherRow>{
        {"PageSize", [](auto* r) { r->set_page_size(11); }},
        {"NoLocation", [](auto* r) { r->clear_location_id(); }},
        {"OtherLocation", [](auto* r) { r->set_location_id("x"); }},
        {"OtherFilterValue", [](auto* r) { (*r->mutable_metadata())["store"] = "2"; }},
        {"OneMoreFilter", [](auto* r) { (*r->mutable_metadata())["wing"] = "3"; }},
        {"OneFilterLess", [](auto* r) { r->mutable_metadata()->erase("store"); }},
    }),
    [](const auto& info) { return info.param.name; });

TEST(PageToken, IsRefusedInAListOfAnotherKindThatLooksTheSame) {
  v1::ListDevicesRequest devices;
  devices.set_page_size(10);
  v1::ListLocationsRequest locations;
  locations.set_page_size(10);
  ASSERT_EQ(devices.SerializeAsString(), locations.SerializeAsString());
  locations.set_page_token(EncodePageToken(devices, "PM1", 1));
  EXPECT_EQ(DecodePageToken(locations, "PM1", kMax).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(PageToken, IsRefusedWithAnyCharacterChanged) {
  v1::ListDevicesRequest request = Request();
  const std::string token = EncodePageToken(request, "PM1", 7);
  for (size_t i = 0; i < token.size(); ++i) {
    for (const char c : std::string("ABCXYZabcxyz0189-_ =")) {
      std::string changed = token;
      changed[i] = c;
      if (changed == token) continue;
      request.set_page_token(changed);
      ExpectRefused(request);
    }
  }
}

TEST(PageToken, IsRefusedWhenItIsNone) {
  v1::ListDevicesRequest request = Request();
  const std::string token = EncodePageToken(request, "PM1", 7);
  for (const std::string& text :
       {std::string("1"), std::string("next"), token.substr(1), token.substr(0, token.size() - 1),
        token + "A", token + "=", token + " ", token + token, std::string(27, 'A'),
        std::string(100000, 'x'), std::string("\xff\xfe"), std::string(27, '\0')}) {
    request.set_page_token(text);
    ExpectRefused(request);
  }
}

TEST(PageKey, ComesBackForTheSameListAlone) {
  v1::ListDevicesRequest request = Request();
  const std::string key("\0key\xff", 5);
  EXPECT_EQ(*DecodePageKey(request, "PM1"), "") << "the first page";
  request.set_page_token(EncodePageKey(request, "PM1", key));
  EXPECT_EQ(*DecodePageKey(request, "PM1"), key);
  EXPECT_TRUE(absl::IsInvalidArgument(DecodePageKey(request, "PM2").status()));
  v1::ListDevicesRequest other = request;
  other.set_page_size(11);
  EXPECT_TRUE(absl::IsInvalidArgument(DecodePageKey(other, "PM1").status()));
  const std::string token = request.page_token();
  for (size_t i = 0; i < token.size(); ++i) {
    request.set_page_token(token.substr(0, i) + (token[i] == 'A' ? 'B' : 'A') +
                           token.substr(i + 1));
    EXPECT_TRUE(absl::IsInvalidArgument(DecodePageKey(request, "PM1").status())) << i;
  }
  for (const std::string& text : {std::string("next"), token.substr(1), token + token}) {
    request.set_page_token(text);
    EXPECT_TRUE(absl::IsInvalidArgument(DecodePageKey(request, "PM1").status())) << text;
  }
}

}  // namespace
}  // namespace ipp::rpc
