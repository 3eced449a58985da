#include "server/upstream/device_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "google/protobuf/text_format.h"
#include "tests/upstream/upstream_bed.h"

namespace ipp::upstream {
namespace {

using absl::StatusCode;
using http::FakeTransport;
using ::testing::ElementsAre;
using ::testing::SizeIs;
namespace v1 = kustom::ipp::v1;

// ---- HasNextPage. ----

struct PageRow {
  std::string name;
  std::string envelope;  // text format
  int number;            // asked for, of size 10
  int items;
  bool next;
};

void PrintTo(const PageRow& row, std::ostream* out) { *out << row.name; }

class NextPage : public testing::TestWithParam<PageRow> {};

TEST_P(NextPage, MayOrMayNotExist) {
  const PageRow& row = GetParam();
  routes::PageEnvelope envelope;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(row.envelope, &envelope));
  EXPECT_EQ(HasNextPage(envelope, {.number = row.number, .size = 10}, row.items), row.next);
}

INSTANTIATE_TEST_SUITE_P(
    Table, NextPage,
    testing::ValuesIn(std::vector<PageRow>{
        {"LastSaysSo", "last: true total_pages: 9 total_elements: 90", 0, 10, false},
        {"NotLastSaysSo", "last: false total_pages: 1 total_elements: 3", 0, 3, true},
        {"NotLastButEmpty", "last: false total_pages: 9 total_elements: 90", 0, 0, false},
        {"PagesLeft", "total_pages: 3", 1, 10, true},
        {"NoPagesLeft", "total_pages: 3", 2, 10, false},
        {"BeyondThePages", "total_pages: 3", 7, 10, false},
        {"PagesWinOverElements", "total_pages: 1 total_elements: 90", 0, 10, false},
        {"ElementsLeft", "total_elements: 21", 1, 10, true},
        {"NoElementsLeft", "total_elements: 20", 1, 10, false},
        {"ElementsInPagesOfTheUpstreamsSize", "total_elements: 11 page_size: 5", 1, 5, true},
        {"NoElementsInPagesOfTheUpstreamsSize", "total_elements: 10 page_size: 5", 1, 5, false},
        {"PageSizeZeroIsNone", "total_elements: 21 page_size: 0", 1, 10, true},
        {"ManyElements", "total_elements: 9223372036854775807", 2147483646, 10, true},
        {"NothingTold", "", 0, 10, false},
        {"NothingToldOnceRead", "unreadable_fields: 'last'", 0, 10, true},
        {"NothingToldOnceReadAndNotFull", "unreadable_fields: 'last'", 0, 9, false},
        {"FirstTellsNothing", "first: true page_number: 0", 0, 10, false},
    }),
    [](const auto& info) { return info.param.name; });

// ---- The walk. ----

class DeviceDirectoryTest : public fixtures::UpstreamBed {
 protected:
  // A page of devices with these ids.
  static std::string Page(const std::vector<std::string>& ids, bool last) {
    std::string body = "{\"content\":[";
    for (size_t i = 0; i < ids.size(); ++i) {
      absl::StrAppend(&body, i > 0 ? "," : "", R"({"id":")", ids[i], R"(","name":"of )", ids[i],
                      "\"}");
    }
    return absl::StrCat(body, "],\"last\":", last ? "true" : "false", "}");
  }
  std::shared_ptr<UpstreamClient::Call> Find(const std::string& id) {
    return directory_->Find(id, Context(), [this, alive = alive_](absl::StatusOr<v1::Device> d) {
      EXPECT_FALSE(result_.has_value()) << "answered twice";
      result_ = std::move(d);
    });
  }
  std::vector<std::string> Targets() {
    std::vector<std::string> targets;
    for (const auto& request : transport_.requests()) targets.push_back(request.target);
    return targets;
  }
  // Whether something still holds the callback of Find().
  bool IsHeld() const { return alive_.use_count() > 1; }

  std::shared_ptr<int> alive_ = std::make_shared<int>();
  std::unique_ptr<DeviceDirectory> directory_ =
      std::make_unique<DeviceDirectory>(client_.get(), &fixtures::Routes());
  std::optional<absl::StatusOr<v1::Device>> result_;
};

TEST_F(DeviceDirectoryTest, FindsADeviceOnTheFirstPageAndReadsNoMore) {
  transport_.Answer(200, Page({"a", "b"}, false));
  Find("b");
  EXPECT_FALSE(result_.has_value());
  transport_.RunAll();
  ASSERT_TRUE(result_.has_value());
  EXPECT_EQ((*result_)->name(), "of b");
  EXPECT_THAT(Targets(), ElementsAre("/ipp/v1/devices?page_number=0&page_size=100"));
}

TEST_F(DeviceDirectoryTest, FindsADeviceOnALaterPage) {
  transport_.Answer(200, Page({"a", "b"}, false));
  transport_.Answer(200, Page({"c", "d"}, false));
  transport_.Answer(200, Page({"e"}, true));
  Find("e");
  transport_.RunAll();
  ASSERT_TRUE(result_.has_value());
  EXPECT_EQ((*result_)->name(), "of e");
  EXPECT_THAT(Targets(), ElementsAre("/ipp/v1/devices?page_number=0&page_size=100",
                                     "/ipp/v1/devices?page_number=1&page_size=100",
                                     "/ipp/v1/devices?page_number=2&page_size=100"));
}

TEST_F(DeviceDirectoryTest, SaysNotFoundAfterTheLastPage) {
  transport_.Answer(200, Page({"a"}, false));
  transport_.Answer(200, Page({"b"}, true));
  Find("x");
  transport_.RunAll();
  ASSERT_TRUE(result_.has_value());
  EXPECT_EQ(result_->status().code(), StatusCode::kNotFound);
  const ErrorDetail detail = GetErrorDetail(result_->status());
  EXPECT_EQ(detail.reason, "DEVICE_NOT_FOUND");
  EXPECT_EQ(detail.metadata.at("outcome"), "REJECTED");
  EXPECT_EQ(detail.metadata.at("retry_safe"), "true");
}

TEST_F(DeviceDirectoryTest, EndsWithAnEmptyPageThatClaimsNotToBeTheLast) {
  transport_.Answer(200, Page({"a"}, false));
  transport_.Answer(200, Page({}, false));
  Find("x");
  transport_.RunAll();
  EXPECT_EQ(result_->status().code(), StatusCode::kNotFound);
  EXPECT_THAT(transport_.requests(), SizeIs(2));
}

TEST_F(DeviceDirectoryTest, EndsAListThatNeverEnds) {
  transport_.HandleWith(
      [](const auto&) { return FakeTransport::Answered(200, Page({"a"}, false)); });
  Find("x");
  transport_.RunAll();
  EXPECT_EQ(result_->status().code(), StatusCode::kNotFound);
  EXPECT_THAT(transport_.requests(), SizeIs(1000));
}

TEST_F(DeviceDirectoryTest, PassesOnTheErrorOfALaterPage) {
  transport_.Answer(200, Page({"a"}, false));
  transport_.Answer(401);
  Find("x");
  transport_.RunAll();
  EXPECT_EQ(result_->status().code(), StatusCode::kInternal);
  EXPECT_EQ(GetErrorDetail(result_->status()).reason, "UPSTREAM_CREDENTIALS");
}

TEST_F(DeviceDirectoryTest, TriesALaterPageAgain) {
  transport_.Answer(200, Page({"a"}, false));
  transport_.Answer(503);
  transport_.Answer(200, Page({"x"}, true));
  Find("x");
  transport_.RunAll();
  ASSERT_FALSE(result_.has_value());
  scheduler_.Advance(scheduler_.NextDelay());
  transport_.RunAll();
  EXPECT_EQ((*result_)->id(), "x");
}

TEST_F(DeviceDirectoryTest, CancelsTheFirstPage) {
  const auto call = Find("x");
  call->Cancel();
  EXPECT_FALSE(result_.has_value());
  transport_.RunAll();
  EXPECT_EQ(result_->status().code(), StatusCode::kCancelled);
  EXPECT_THAT(transport_.requests(), SizeIs(0));
}

TEST_F(DeviceDirectoryTest, CancelsInTheMiddleOfTheWalk) {
  transport_.Answer(200, Page({"a"}, false));
  transport_.Hold();
  const auto call = Find("x");
  transport_.RunAll();
  ASSERT_THAT(transport_.requests(), SizeIs(2));
  call->Cancel();
  transport_.RunAll();
  EXPECT_EQ(result_->status().code(), StatusCode::kCancelled);
  EXPECT_THAT(transport_.requests(), SizeIs(2));
}

TEST_F(DeviceDirectoryTest, TakesACancelAfterTheEndForNothing) {
  transport_.Answer(200, Page({"x"}, true));
  const auto call = Find("x");
  transport_.RunAll();
  call->Cancel();
  transport_.RunAll();
  EXPECT_TRUE(result_->ok());
}

TEST_F(DeviceDirectoryTest, LeavesNothingBehindOnceTheHandleIsGone) {
  transport_.Answer(200, Page({"a"}, false));
  transport_.Answer(200, Page({"x"}, true));
  auto call = Find("x");
  transport_.RunAll();
  EXPECT_TRUE(result_->ok());
  call.reset();
  EXPECT_FALSE(IsHeld());
}

TEST_F(DeviceDirectoryTest, LeavesNothingBehindAfterAnError) {
  transport_.Answer(404);
  auto call = Find("x");
  transport_.RunAll();
  EXPECT_EQ(result_->status().code(), StatusCode::kNotFound);
  call.reset();
  EXPECT_FALSE(IsHeld());
}

}  // namespace
}  // namespace ipp::upstream
