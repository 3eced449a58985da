#include "server/auth/caller_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/error.h"

namespace ipp::auth {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

// Of shop-token, shop-token-2 and, in upper case, back-token.
constexpr char kShopSha[] = "88cc4600551e64b7cb97dd7f63ebad405255e5d17bdd71ee9fe1ed5cc20d0b3b";
constexpr char kShopNewSha[] = "fcff8b3c089bbc49f4d814afdc646880e066c8143b8c5895097d20522a5a0678";
constexpr char kBackSha[] = "41E6B600B6112825B5432C4E0E07D9A53EC48610AFAD04B303B35E6D00EC5229";

const std::vector<std::string> kPermissions = {"devices.read", "events.read", "sessions.read",
                                               "sessions.write", "sessionsx.read"};

CallerEntry Entry(std::string name, std::vector<std::string> digests,
                  std::vector<std::string> merchants, std::vector<std::string> permissions) {
  return {.name = std::move(name),
          .token_sha256 = [digests = std::make_shared<const std::vector<std::string>>(
                               std::move(digests))] { return digests; },
          .merchants = std::move(merchants),
          .permissions = std::move(permissions)};
}

std::unique_ptr<CallerTable> Table() {
  auto table = CallerTable::Create({Entry("shop", {"not a digest", kShopSha, kShopNewSha},
                                          {"PM2", "PM1"}, {"sessions.*", "events.read"}),
                                    Entry("back", {kBackSha}, {"PM3"}, {"*"})},
                                   {"PM1", "PM2", "PM3"}, kPermissions);
  EXPECT_TRUE(table.ok()) << table.status();
  return *std::move(table);
}

struct AuthRow {
  std::string name;
  std::string authorization;
  std::string permission;
  absl::StatusCode code;
  std::string reason;  // or the caller's name
};

void PrintTo(const AuthRow& row, std::ostream* out) { *out << row.name; }

class Authorization : public ::testing::TestWithParam<AuthRow> {};

TEST_P(Authorization, IsDecided) {
  const AuthRow& row = GetParam();
  const absl::StatusOr<Caller> caller =
      Table()->Authorize({.authorization = row.authorization}, row.permission);
  ASSERT_EQ(caller.status().code(), row.code) << caller.status();
  if (caller.ok()) {
    EXPECT_EQ(caller->name, row.reason);
    return;
  }
  const ErrorDetail detail = GetErrorDetail(caller.status());
  EXPECT_EQ(detail.reason, row.reason);
  EXPECT_EQ(detail.metadata.at("outcome"), "NOT_SENT");
  EXPECT_THAT(std::string(caller.status().message()), Not(HasSubstr("-token")));
  if (row.reason == "PERMISSION_MISSING") {
    EXPECT_EQ(detail.metadata.at("permission"), row.permission);
    EXPECT_THAT(std::string(caller.status().message()), HasSubstr(row.permission));
  }
}

constexpr auto kOk = absl::StatusCode::kOk;
constexpr auto kUnauthenticated = absl::StatusCode::kUnauthenticated;
constexpr auto kDenied = absl::StatusCode::kPermissionDenied;

INSTANTIATE_TEST_SUITE_P(
    Rows, Authorization,
    ::testing::Values(
        AuthRow{"Known", "Bearer shop-token", "sessions.read", kOk, "shop"},
        AuthRow{"SecondTokenWhileRotating", "Bearer shop-token-2", "sessions.read", kOk, "shop"},
        AuthRow{"UpperCaseDigest", "Bearer back-token", "devices.read", kOk, "back"},
        AuthRow{"SchemeInLowerCase", "bearer shop-token", "events.read", kOk, "shop"},
        AuthRow{"SchemeInUpperCase", "BEARER shop-token", "events.read", kOk, "shop"},
        AuthRow{"SpacesAroundTheToken", " Bearer   shop-token ", "events.read", kOk, "shop"},
        AuthRow{"Group", "Bearer shop-token", "sessions.write", kOk, "shop"},
        AuthRow{"Everything", "Bearer back-token", "anything.at.all", kOk, "back"},
        AuthRow{"Nothing", "", "sessions.read", kUnauthenticated, "TOKEN_MISSING"},
        AuthRow{"SchemeAlone", "Bearer", "sessions.read", kUnauthenticated, "TOKEN_MISSING"},
        AuthRow{"SchemeAndSpaces", "Bearer  ", "sessions.read", kUnauthenticated, "TOKEN_MISSING"},
        AuthRow{"OtherScheme", "Basic shop-token", "sessions.read", kUnauthenticated,
                "TOKEN_MISSING"},
        AuthRow{"TokenAlone", "shop-token", "sessions.read", kUnauthenticated, "TOKEN_MISSING"},
        AuthRow{"UnknownToken", "Bearer other-token", "sessions.read", kUnauthenticated,
                "TOKEN_UNKNOWN"},
        AuthRow{"TokenInOtherCase", "Bearer Shop-token", "sessions.read", kUnauthenticated,
                "TOKEN_UNKNOWN"},
        AuthRow{"TokenPrefix", "Bearer shop-toke", "sessions.read", kUnauthenticated,
                "TOKEN_UNKNOWN"},
        AuthRow{"DigestInsteadOfToken", std::string("Bearer ") + kShopSha, "sessions.read",
                kUnauthenticated, "TOKEN_UNKNOWN"},
        AuthRow{"LineThatIsNoDigest", "Bearer not a digest", "sessions.read", kUnauthenticated,
                "TOKEN_UNKNOWN"},
        AuthRow{"PermissionNotHeld", "Bearer shop-token", "devices.read", kDenied,
                "PERMISSION_MISSING"},
        AuthRow{"PermissionOfAGroupWithALongerName", "Bearer shop-token", "sessionsx.read", kDenied,
                "PERMISSION_MISSING"},
        AuthRow{"PermissionBelowASingleOne", "Bearer shop-token", "events.read.all", kDenied,
                "PERMISSION_MISSING"},
        AuthRow{"PermissionEmpty", "Bearer shop-token", "", kDenied, "PERMISSION_MISSING"}),
    [](const auto& info) { return info.param.name; });

TEST(CallerTable, GivesTheCallersMerchantsSorted) {
  EXPECT_THAT(
      Table()->Authorize({.authorization = "Bearer shop-token"}, "sessions.read")->merchants,
      ElementsAre("PM1", "PM2"));
}

TEST(CallerTable, WithoutEntriesLetsEveryoneDoEverything) {
  const auto table = CallerTable::Create({}, {"PM2", "PM1"}, kPermissions);
  ASSERT_TRUE(table.ok());
  EXPECT_TRUE((*table)->open());
  const absl::StatusOr<Caller> caller =
      (*table)->Authorize({.authorization = ""}, "sessions.write");
  ASSERT_TRUE(caller.ok());
  EXPECT_EQ(caller->name, "anonymous");
  EXPECT_THAT(caller->merchants, ElementsAre("PM1", "PM2"));
}

TEST(CallerTable, AsksForTheDigestsOnEachCall) {
  auto digests = std::make_shared<std::vector<std::string>>();
  CallerEntry entry = Entry("shop", {}, {"PM1"}, {"*"});
  entry.token_sha256 = [digests] {
    return std::make_shared<const std::vector<std::string>>(*digests);
  };
  const auto table = CallerTable::Create({entry}, {"PM1"}, kPermissions);
  ASSERT_TRUE(table.ok());
  EXPECT_FALSE((*table)->Authorize({.authorization = "Bearer shop-token"}, "sessions.read").ok());
  digests->push_back(kShopSha);
  EXPECT_TRUE((*table)->Authorize({.authorization = "Bearer shop-token"}, "sessions.read").ok());
}

// By name and certificate, token, or either.
std::unique_ptr<CallerTable> CertificateTable(Proof proof) {
  CallerEntry shop = Entry("shop", {kShopSha}, {"PM1"}, {"*"});
  shop.certificate_names = {"spiffe://shop/order", "order.shop"};
  CallerEntry back = Entry("back", {kBackSha}, {"PM1"}, {"*"});
  back.certificate_names = {"spiffe://shop/back"};
  CallerEntry tokenless{.name = "tokenless",
                        .token_sha256 = nullptr,
                        .certificate_names = {"tokenless.shop"},
                        .merchants = {"PM1"},
                        .permissions = {"events.read"}};
  auto table = CallerTable::Create({shop, back, tokenless}, {"PM1"}, kPermissions, proof);
  EXPECT_TRUE(table.ok()) << table.status();
  return *std::move(table);
}

constexpr char kShopToken[] = "Bearer shop-token";

struct ProofRow {
  std::string name;
  std::string authorization;
  std::vector<std::string> certificate;
  std::string any;  // the caller's name, or the reason
  std::string both;
};

void PrintTo(const ProofRow& row, std::ostream* out) { *out << row.name; }

class CallerProof : public ::testing::TestWithParam<ProofRow> {};

TEST_P(CallerProof, IsJudged) {
  const ProofRow& row = GetParam();
  for (const Proof proof : {Proof::kAny, Proof::kBoth}) {
    const absl::StatusOr<Caller> caller = CertificateTable(proof)->Authorize(
        {.authorization = row.authorization, .certificate_names = row.certificate}, "events.read");
    EXPECT_EQ(caller.ok() ? caller->name : GetErrorDetail(caller.status()).reason,
              proof == Proof::kAny ? row.any : row.both);
    if (caller.ok()) continue;
    EXPECT_EQ(caller.status().code(), absl::StatusCode::kUnauthenticated);
    EXPECT_EQ(GetErrorDetail(caller.status()).metadata.at("outcome"), "NOT_SENT");
    EXPECT_THAT(std::string(caller.status().message()), Not(HasSubstr("spiffe")));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Rows, CallerProof,
    ::testing::Values(
        ProofRow{"Nothing", "", {}, "TOKEN_MISSING", "TOKEN_MISSING"},
        ProofRow{"Token", kShopToken, {}, "shop", "CERTIFICATE_MISSING"},
        ProofRow{"Uri", "", {"spiffe://shop/order"}, "shop", "TOKEN_MISSING"},
        ProofRow{"Dns", "", {"order.shop"}, "shop", "TOKEN_MISSING"},
        ProofRow{"OneNameOfSeveral", "", {"a.b", "order.shop"}, "shop", "TOKEN_MISSING"},
        ProofRow{
            "BothNamesOfOne", "", {"spiffe://shop/order", "order.shop"}, "shop", "TOKEN_MISSING"},
        ProofRow{"Both", kShopToken, {"order.shop"}, "shop", "shop"},
        ProofRow{
            "OfTwoCallers", kShopToken, {"spiffe://shop/back"}, "CALLERS_DIFFER", "CALLERS_DIFFER"},
        ProofRow{"NamesOfTwoCallers",
                 "",
                 {"spiffe://shop/back", "order.shop"},
                 "CALLERS_DIFFER",
                 "CALLERS_DIFFER"},
        ProofRow{"NamesOfTwoCallersBesideAToken",
                 kShopToken,
                 {"spiffe://shop/back", "order.shop"},
                 "CALLERS_DIFFER",
                 "CALLERS_DIFFER"},
        ProofRow{"UnknownToken", "Bearer x", {"order.shop"}, "TOKEN_UNKNOWN", "TOKEN_UNKNOWN"},
        ProofRow{"TokenOfAnotherScheme", "Basic eDp5", {"order.shop"}, "shop", "TOKEN_MISSING"},
        ProofRow{"UnknownName", "", {"spiffe://other"}, "CERTIFICATE_UNKNOWN", "TOKEN_MISSING"},
        ProofRow{"UnknownNameBesideAToken",
                 kShopToken,
                 {"spiffe://other"},
                 "shop",
                 "CERTIFICATE_UNKNOWN"},
        ProofRow{
            "LongerUri", "", {"spiffe://shop/order/x"}, "CERTIFICATE_UNKNOWN", "TOKEN_MISSING"},
        ProofRow{"UriInAnotherCase",
                 "",
                 {"spiffe://shop/Order"},
                 "CERTIFICATE_UNKNOWN",
                 "TOKEN_MISSING"},
        ProofRow{"Wildcard", "", {"*.shop"}, "CERTIFICATE_UNKNOWN", "TOKEN_MISSING"},
        ProofRow{"EmptyName", "", {""}, "CERTIFICATE_UNKNOWN", "TOKEN_MISSING"},
        ProofRow{"NulInName",
                 "",
                 {std::string("order.shop\0.x", 13)},
                 "CERTIFICATE_UNKNOWN",
                 "TOKEN_MISSING"},
        ProofRow{"CallerWithoutToken", "", {"tokenless.shop"}, "tokenless", "TOKEN_MISSING"}),
    [](const auto& info) { return info.param.name; });

TEST(CertificateName, IsLowerCaseUnlessAUri) {
  EXPECT_EQ(CertificateName("Order.Shop"), "order.shop");
  EXPECT_EQ(CertificateName("spiffe://Shop/Order"), "spiffe://Shop/Order");
}

TEST(CallerTable, GivesEachCallerAUseOfItsOwn) {
  CallerEntry shop = Entry("shop", {kShopSha}, {"PM1"}, {"*"});
  shop.limits = {.in_flight = 1};
  CallerEntry back = Entry("back", {kBackSha}, {"PM1"}, {"*"});
  back.limits = {.in_flight = 1};
  const auto table = CallerTable::Create({shop, back}, {"PM1"}, kPermissions);
  ASSERT_TRUE(table.ok());
  const auto use_of = [&](const char* token) {
    return (*table)->Authorize({.authorization = token}, "events.read")->use;
  };
  EXPECT_EQ(use_of(kShopToken), use_of(kShopToken));
  EXPECT_TRUE(use_of(kShopToken)->BeginCall(absl::Hours(1)).ok());
  EXPECT_FALSE(use_of(kShopToken)->BeginCall(absl::Hours(1)).ok());
  EXPECT_TRUE(use_of("Bearer back-token")->BeginCall(absl::Hours(1)).ok());
}

// After kPermissions.
const std::string kThereAre =
    "; there are *, devices.*, devices.read, events.*, events.read, sessions.*, sessions.read, "
    "sessions.write, sessionsx.*, sessionsx.read";

struct BadEntryRow {
  std::string name;
  std::vector<std::string> merchants;
  std::vector<std::string> permissions;
  std::string message;
};

void PrintTo(const BadEntryRow& row, std::ostream* out) { *out << row.name; }

class BadCallerEntry : public ::testing::TestWithParam<BadEntryRow> {};

TEST_P(BadCallerEntry, StopsTheStart) {
  const BadEntryRow& row = GetParam();
  const auto table = CallerTable::Create(
      {Entry("a", {}, {"PM1"}, {"*"}), Entry("b", {}, row.merchants, row.permissions)}, {"PM1"},
      kPermissions);
  ASSERT_EQ(table.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(std::string(table.status().message()), row.message);
  EXPECT_EQ(GetErrorDetail(table.status()).reason, "INVALID_CONFIG");
}

INSTANTIATE_TEST_SUITE_P(
    Rows, BadCallerEntry,
    ::testing::Values(
        BadEntryRow{"Merchant",
                    {"PM1", "PM2"},
                    {"*"},
                    "callers[1].merchants[1]: b names a merchant that is not configured"},
        BadEntryRow{"Permission",
                    {"PM1"},
                    {"*", "sessions.reed"},
                    "callers[1].permissions[1]: b is given sessions.reed, which no call needs (did "
                    "you mean sessions.read?)" +
                        kThereAre},
        BadEntryRow{"Group",
                    {"PM1"},
                    {"session.*"},
                    "callers[1].permissions[0]: b is given session.*, which no call needs (did you "
                    "mean sessions.*?)" +
                        kThereAre},
        BadEntryRow{"GroupWithoutName",
                    {"PM1"},
                    {".*"},
                    "callers[1].permissions[0]: b is given .*, which no call needs" + kThereAre},
        BadEntryRow{
            "GroupOfVerbs",
            {"PM1"},
            {"*.read"},
            "callers[1].permissions[0]: b is given *.read, which no call needs" + kThereAre}),
    [](const auto& info) { return info.param.name; });

TEST(TokenDigests, AreHexInEitherCase) {
  EXPECT_TRUE(ValidateTokenDigests({kShopSha, std::string(64, 'A')}).ok());
}

class BadTokenDigest : public ::testing::TestWithParam<std::string> {};

TEST_P(BadTokenDigest, IsRefusedNamingTheLineAndNotItsText) {
  const absl::Status status = ValidateTokenDigests({kShopSha, GetParam()});
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(GetErrorDetail(status).reason, "INVALID_CONFIG");
  const std::string message(status.message());
  EXPECT_THAT(message, ::testing::StartsWith("line 2: "));
  EXPECT_THAT(message, ::testing::EndsWith(
                           "must be the SHA-256 of a token, 64 hexadecimal digits and no more"));
  if (!GetParam().empty()) {
    EXPECT_THAT(message, ::testing::Not(HasSubstr(GetParam())));
  }
}

INSTANTIATE_TEST_SUITE_P(Rows, BadTokenDigest,
                         ::testing::Values("", "shop-token", std::string(63, 'a'),
                                           std::string(65, 'a'), std::string(63, 'a') + "g",
                                           std::string(64, 'a') + "  -", "Bearer shop-token",
                                           absl::StrCat("'", kShopSha, "'")));

TEST(TokenDigests, AreNotWhatSha256sumPrints) {
  const absl::Status status = ValidateTokenDigests({absl::StrCat(kShopSha, "  -")});
  EXPECT_THAT(std::string(status.message()), HasSubstr("line 1: has a blank inside; it must be"));
}

TEST(TokenDigests, AreAtLeastOne) {
  EXPECT_EQ(GetErrorDetail(ValidateTokenDigests({})).reason, "INVALID_CONFIG");
}

struct ChoiceRow {
  std::string name;
  std::vector<std::string> merchants;
  std::string asked;
  absl::StatusCode code;
  std::string result;  // the merchant or the reason
};

void PrintTo(const ChoiceRow& row, std::ostream* out) { *out << row.name; }

class MerchantChoice : public ::testing::TestWithParam<ChoiceRow> {};

TEST_P(MerchantChoice, IsMade) {
  const ChoiceRow& row = GetParam();
  const auto chosen = ChooseMerchant({.name = "a", .merchants = row.merchants}, row.asked);
  ASSERT_EQ(chosen.status().code(), row.code);
  EXPECT_EQ(chosen.ok() ? *chosen : GetErrorDetail(chosen.status()).reason, row.result);
}

INSTANTIATE_TEST_SUITE_P(
    Rows, MerchantChoice,
    ::testing::Values(
        ChoiceRow{"OnlyOne", {"PM1"}, "", kOk, "PM1"},
        ChoiceRow{"OnlyOneAsked", {"PM1"}, "PM1", kOk, "PM1"},
        ChoiceRow{"OneOfTwo", {"PM1", "PM2"}, "PM2", kOk, "PM2"},
        ChoiceRow{"NotSaidWhichOfTwo",
                  {"PM1", "PM2"},
                  "",
                  absl::StatusCode::kInvalidArgument,
                  "MERCHANT_REQUIRED"},
        ChoiceRow{
            "NotSaidAndNone", {}, "", absl::StatusCode::kInvalidArgument, "MERCHANT_REQUIRED"},
        ChoiceRow{"Foreign", {"PM1"}, "PM3", kDenied, "MERCHANT_NOT_ALLOWED"},
        ChoiceRow{"OtherCase", {"PM1"}, "pm1", kDenied, "MERCHANT_NOT_ALLOWED"}),
    [](const auto& info) { return info.param.name; });

TEST(MerchantFilter, IsAllOfTheCallersWhenEmpty) {
  EXPECT_THAT(*NarrowMerchants({.name = "a", .merchants = {"PM1", "PM2"}}, {}),
              ElementsAre("PM1", "PM2"));
}

TEST(MerchantFilter, IsSortedAndNamesEachOnce) {
  EXPECT_THAT(
      *NarrowMerchants({.name = "a", .merchants = {"PM1", "PM2", "PM3"}}, {"PM3", "PM1", "PM3"}),
      ElementsAre("PM1", "PM3"));
}

TEST(MerchantFilter, IsRefusedAsAWholeWhenOneIsForeign) {
  const auto narrowed = NarrowMerchants({.name = "a", .merchants = {"PM1"}}, {"PM1", "PM2"});
  EXPECT_EQ(narrowed.status().code(), kDenied);
  EXPECT_EQ(GetErrorDetail(narrowed.status()).reason, "MERCHANT_NOT_ALLOWED");
}

TEST(MerchantFilter, DoesNotTakeAnEmptyNameForAll) {
  EXPECT_FALSE(NarrowMerchants({.name = "a", .merchants = {"PM1"}}, {""}).ok());
}

}  // namespace
}  // namespace ipp::auth
