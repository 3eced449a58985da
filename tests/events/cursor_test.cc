#include "server/events/cursor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <ostream>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "server/base/encoding.h"
#include "server/base/error.h"

namespace ipp::events {
namespace {

using absl::StatusCode;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

constexpr char kLog[] = "0123456789abcdef";
constexpr char kOtherLog[] = "0123456789abcdee";
constexpr int64_t kMax = (int64_t{1} << 48) - 1;  // six bytes
const store::LogBounds kAll{.oldest = 1, .latest = kMax};

// As a subscriber's cursor is read.
absl::StatusOr<int64_t> DecodeCursor(const std::string& cursor, const std::string& log_id,
                                     const store::LogBounds& bounds, const std::string& field) {
  const absl::StatusOr<LogPlace> place = ParseCursor(cursor, log_id, field);
  if (!place.ok()) return place.status();
  if (absl::Status checked = CheckPlace(*place, log_id, bounds, field); !checked.ok()) {
    return checked;
  }
  return place->position;
}

class CursorPosition : public testing::TestWithParam<int64_t> {};

TEST_P(CursorPosition, ComesBackFromACursorOfFixedSize) {
  const std::string cursor = EncodeCursor(kLog, {GetParam()});
  EXPECT_EQ(cursor.size(), kCursorSize);
  EXPECT_EQ(cursor.find_first_not_of("0123456789abcdefghijklmnopqrstuvwxyz"
                                     "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_"),
            std::string::npos)
      << cursor;
  const auto position = DecodeCursor(cursor, kLog, kAll, "after_cursor");
  ASSERT_TRUE(position.ok()) << position.status();
  EXPECT_EQ(*position, GetParam());
}

INSTANTIATE_TEST_SUITE_P(Table, CursorPosition,
                         testing::Values(0, 1, 127, 128, 255, 256, 65535, 65536, int64_t{1} << 32,
                                         int64_t{1} << 47, kMax - 1, kMax));

TEST(Cursor, IsTheSameForTheSamePlaceAndDiffersForAnother) {
  EXPECT_EQ(EncodeCursor(kLog, {7}), EncodeCursor(kLog, {7}));
  EXPECT_NE(EncodeCursor(kLog, {7}), EncodeCursor(kLog, {8}));
  EXPECT_NE(EncodeCursor(kLog, {7}), EncodeCursor(kOtherLog, {7}));
}

void ExpectMalformed(const std::string& cursor) {
  const absl::Status status = DecodeCursor(cursor, kLog, kAll, "after_cursor").status();
  ASSERT_EQ(status.code(), StatusCode::kInvalidArgument) << cursor;
  const ErrorDetail detail = GetErrorDetail(status);
  EXPECT_EQ(detail.reason, "CURSOR_MALFORMED") << cursor;
  ASSERT_EQ(detail.violations.size(), 1u);
  EXPECT_EQ(detail.violations[0].field, "after_cursor");
}

TEST(Cursor, IsRefusedWithAnyCharacterChanged) {
  const std::string alphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_ =+/.\n";
  const std::string cursor = EncodeCursor(kLog, {4711});
  for (size_t i = 0; i < cursor.size(); ++i) {
    for (const char c : alphabet) {
      std::string changed = cursor;
      changed[i] = c;
      if (changed != cursor) ExpectMalformed(changed);
    }
  }
}

TEST(Cursor, IsRefusedWithTwoCharactersSwapped) {
  const std::string cursor = EncodeCursor(kLog, {4711});
  for (size_t i = 1; i < cursor.size(); ++i) {
    std::string changed = cursor;
    std::swap(changed[i - 1], changed[i]);
    if (changed != cursor) ExpectMalformed(changed);
  }
}

TEST(Cursor, IsRefusedWhenCut) {
  const std::string cursor = EncodeCursor(kLog, {4711});
  for (size_t size = 0; size < cursor.size(); ++size) ExpectMalformed(cursor.substr(0, size));
}

TEST(Cursor, IsRefusedWithMoreBehindIt) {
  for (const char* more : {"A", "=", " ", "\n", "AAAA"}) {
    ExpectMalformed(absl::StrCat(EncodeCursor(kLog, {4711}), more));
  }
}

TEST(Cursor, IsRefusedWhenItIsSomethingElse) {
  for (const std::string& text : {std::string("0"), std::string("latest"),
                                  std::string(kCursorSize, 'A'), std::string(kCursorSize, '\0'),
                                  std::string(kCursorSize, '\xff'), std::string(10000, 'x')}) {
    ExpectMalformed(text);
  }
}

struct PlaceRow {
  std::string name;
  std::string log;
  int64_t position;
  store::LogBounds bounds;
  StatusCode code;
  std::string reason;
};

void PrintTo(const PlaceRow& row, std::ostream* out) { *out << row.name; }

class CursorPlace : public testing::TestWithParam<PlaceRow> {};

TEST_P(CursorPlace, IsTakenOrRefused) {
  const PlaceRow& row = GetParam();
  const auto position =
      DecodeCursor(EncodeCursor(row.log, {row.position}), kLog, row.bounds, "after_cursor");
  ASSERT_EQ(position.status().code(), row.code) << position.status();
  if (position.ok()) {
    EXPECT_EQ(*position, row.position);
  } else {
    EXPECT_EQ(GetErrorDetail(position.status()).reason, row.reason);
    EXPECT_THAT(std::string(position.status().message()), HasSubstr("after_cursor"));
  }
}

const store::LogBounds kEmpty{.oldest = 1, .latest = 0};
const store::LogBounds kMiddle{.oldest = 10, .latest = 20};
const store::LogBounds kForgotten{.oldest = 21, .latest = 20};

INSTANTIATE_TEST_SUITE_P(
    Table, CursorPlace,
    testing::ValuesIn(std::vector<PlaceRow>{
        {"BeginOfAnEmptyLog", kLog, 0, kEmpty, StatusCode::kOk, ""},
        {"AheadOfAnEmptyLog", kLog, 1, kEmpty, StatusCode::kInvalidArgument, "CURSOR_FOREIGN"},
        {"InTheMiddle", kLog, 15, kMiddle, StatusCode::kOk, ""},
        {"OldestKept", kLog, 10, kMiddle, StatusCode::kOk, ""},
        {"JustBeforeTheOldest", kLog, 9, kMiddle, StatusCode::kOk, ""},
        {"OneIsMissing", kLog, 8, kMiddle, StatusCode::kOutOfRange, "CURSOR_EXPIRED"},
        {"BeginOfATrimmedLog", kLog, 0, kMiddle, StatusCode::kOutOfRange, "CURSOR_EXPIRED"},
        {"Latest", kLog, 20, kMiddle, StatusCode::kOk, ""},
        {"AheadOfTheLog", kLog, 21, kMiddle, StatusCode::kInvalidArgument, "CURSOR_FOREIGN"},
        {"FarAheadOfTheLog", kLog, kMax, kMiddle, StatusCode::kInvalidArgument, "CURSOR_FOREIGN"},
        {"Negative", kLog, -1, kMiddle, StatusCode::kInvalidArgument, "CURSOR_FOREIGN"},
        {"LatestWithNothingKept", kLog, 20, kForgotten, StatusCode::kOk, ""},
        {"OneIsMissingWithNothingKept", kLog, 19, kForgotten, StatusCode::kOutOfRange,
         "CURSOR_EXPIRED"},
        {"ForeignInTheMiddle", kOtherLog, 15, kMiddle, StatusCode::kInvalidArgument,
         "CURSOR_FOREIGN"},
        {"ForeignAndOld", kOtherLog, 1, kMiddle, StatusCode::kInvalidArgument, "CURSOR_FOREIGN"},
    }),
    [](const auto& info) { return info.param.name; });

// A cursor of these bytes, with a right checksum.
std::string WithChecksum(std::string body) {
  uint32_t hash = 2166136261u;
  for (const char byte : body) hash = (hash ^ static_cast<unsigned char>(byte)) * 16777619u;
  for (int i = 0; i < 4; ++i) body.push_back(static_cast<char>(hash >> (24 - 8 * i)));
  return absl::WebSafeBase64Escape(body);
}

// As releases before had it: version, log, eight bytes of position.
std::string VersionOne(const std::string& log, int64_t position) {
  std::string body = std::string(1, 1) + BytesOfHex(log);
  for (int shift = 56; shift >= 0; shift -= 8) body.push_back(static_cast<char>(position >> shift));
  return WithChecksum(std::move(body));
}

TEST(Cursor, OfAnotherVersionIsRefused) {
  std::string raw;
  ASSERT_TRUE(absl::WebSafeBase64Unescape(EncodeCursor(kLog, {5, 7, 9}), &raw));
  raw.resize(20);
  // Which shows that this checksum is the one that is looked at.
  EXPECT_EQ(WithChecksum(raw), EncodeCursor(kLog, {5, 7, 9}));
  for (const int version : {0, 1, 3, 255}) {
    raw[0] = static_cast<char>(version);
    ExpectMalformed(WithChecksum(raw));
  }
}

TEST(Cursor, OfTheFirstVersionIsAPlaceOfTheFirstEpoch) {
  for (const int64_t position : {int64_t{0}, int64_t{5}, kMax}) {
    const std::string cursor = VersionOne(kLog, position);
    EXPECT_EQ(cursor.size(), 28u);
    const absl::StatusOr<LogPlace> place = ParseCursor(cursor, kLog, "after_cursor");
    ASSERT_TRUE(place.ok()) << place.status();
    EXPECT_EQ(*place, (LogPlace{position, 0, 0}));
  }
  EXPECT_EQ(GetErrorDetail(ParseCursor(VersionOne(kOtherLog, 5), kLog, "c").status()).reason,
            "CURSOR_FOREIGN");
  EXPECT_EQ(GetErrorDetail(ParseCursor(VersionOne(kLog, -5), kLog, "c").status()).reason,
            "CURSOR_FOREIGN");
}

TEST(Cursor, KeepsEpochAndContent) {
  for (const LogPlace& place :
       {LogPlace{0, 0xffff, 0}, LogPlace{kMax, 1, 0xffffff}, LogPlace{4711, 0xabcd, 1}}) {
    const absl::StatusOr<LogPlace> back = ParseCursor(EncodeCursor(kLog, place), kLog, "c");
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(*back, place);
  }
}

TEST(Cursor, DiffersForAnotherEventAtTheSamePosition) {
  store::StoredEvent event;
  event.payload = "one";
  const uint32_t one = ContentOf(event);
  event.payload = "two";
  EXPECT_NE(ContentOf(event), one);
  EXPECT_GT(ContentOf(event), 0u);
  EXPECT_LE(ContentOf(event), 0xffffffu);
  // Clients hold it.
  event.payload = "";
  EXPECT_EQ(ContentOf(event), 0x1c9d44u);
}

TEST(Cursor, HasTheSameContentForManyEventsAsForEachAlone) {
  std::mt19937 random(7);
  for (size_t count = 0; count < 14; ++count) {
    std::vector<store::StoredEvent> events(count);
    std::vector<uint32_t> each;
    for (store::StoredEvent& event : events) {
      event.payload.resize(random() % 700);  // also empty
      for (char& c : event.payload) c = static_cast<char>(random());
      each.push_back(ContentOf(event));
    }
    EXPECT_EQ(ContentsOf(events), each);
  }
}

TEST(Cursor, IsTakenOnlyUpToWhereALaterEpochBegan) {
  const store::LogBounds bounds{
      .oldest = 1, .latest = 100, .epochs = {{0, 0, 0}, {1, 501, 40}, {4, 77, 60}, {5, 9, 20}}};
  struct Row {
    uint16_t epoch;
    int64_t last;  // that is taken
  };
  for (const Row& row : {Row{0, 20}, Row{501, 20}, Row{77, 20}, Row{9, 100}}) {
    EXPECT_TRUE(CheckPlace({row.last, row.epoch}, kLog, bounds, "c").ok()) << row.epoch;
    EXPECT_EQ(GetErrorDetail(CheckPlace({row.last + 1, row.epoch}, kLog, bounds, "c")).reason,
              "CURSOR_FOREIGN")
        << row.epoch;
  }
  // Of an epoch that this log has not had: of another copy of it.
  EXPECT_EQ(GetErrorDetail(CheckPlace({1, 502}, kLog, bounds, "c")).reason, "CURSOR_FOREIGN");
  EXPECT_EQ(GetErrorDetail(CheckPlace({1, 1}, kLog, kMiddle, "c")).reason, "CURSOR_FOREIGN");
}

TEST(Cursor, ThatExpiredTellsWhereToGoOn) {
  const absl::Status status =
      DecodeCursor(EncodeCursor(kLog, {3}), kLog, kMiddle, "after_cursor").status();
  const ErrorDetail detail = GetErrorDetail(status);
  EXPECT_THAT(detail.metadata, ElementsAre(Pair("latest_cursor", EncodeCursor(kLog, {20})),
                                           Pair("oldest_cursor", EncodeCursor(kLog, {9}))));
  EXPECT_THAT(detail.violations, IsEmpty());
  // Both are cursors to go on with.
  for (const auto& [name, cursor] : detail.metadata) {
    EXPECT_TRUE(DecodeCursor(cursor, kLog, kMiddle, "after_cursor").ok()) << name;
  }
}

TEST(Cursor, ThatExpiredTellsWhereToGoOnWithNothingKept) {
  const absl::Status status =
      DecodeCursor(EncodeCursor(kLog, {3}), kLog, kForgotten, "after_cursor").status();
  EXPECT_THAT(GetErrorDetail(status).metadata,
              ElementsAre(Pair("latest_cursor", EncodeCursor(kLog, {20})),
                          Pair("oldest_cursor", EncodeCursor(kLog, {20}))));
}

}  // namespace
}  // namespace ipp::events
