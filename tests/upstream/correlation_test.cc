#include "server/upstream/correlation.h"

#include "gtest/gtest.h"

namespace ipp::upstream {
namespace {

namespace v1 = kustom::ipp::v1;

constexpr char kId[] = "3f1c2b7a-0a51-4b0e-9d39-1f0d9f0f6a11";

v1::Session Echo(const v1::CreateSessionRequest& request) {
  v1::Session session;
  session.set_merchant_data(request.merchant_data());
  session.set_merchant_reference2(request.merchant_reference2());
  return session;
}

TEST(Correlation, GoesThereAndBackAndLeavesNoTrace) {
  for (const auto field : {CorrelationField::kFirstEmpty, CorrelationField::kMerchantData,
                           CorrelationField::kMerchantReference2}) {
    v1::CreateSessionRequest request;
    EXPECT_TRUE(AddCorrelation(kId, field, &request));
    v1::Session session = Echo(request);
    EXPECT_EQ(TakeCorrelation(&session), kId);
    EXPECT_EQ(session.merchant_data(), "");
    EXPECT_EQ(session.merchant_reference2(), "");
    EXPECT_EQ(TakeCorrelation(&session), "");
  }
}

TEST(Correlation, NeverTakesAFieldThatTheCallerUses) {
  v1::CreateSessionRequest request;
  request.set_merchant_data("mine");
  EXPECT_FALSE(AddCorrelation(kId, CorrelationField::kMerchantData, &request));
  EXPECT_TRUE(AddCorrelation(kId, CorrelationField::kFirstEmpty, &request));
  EXPECT_EQ(request.merchant_data(), "mine");
  v1::Session session = Echo(request);
  EXPECT_EQ(TakeCorrelation(&session), kId);
  EXPECT_EQ(session.merchant_data(), "mine");

  request.set_merchant_reference2("mine too");
  for (const auto field : {CorrelationField::kFirstEmpty, CorrelationField::kMerchantData,
                           CorrelationField::kMerchantReference2, CorrelationField::kNone}) {
    EXPECT_FALSE(AddCorrelation(kId, field, &request));
  }
  EXPECT_EQ(request.merchant_data(), "mine");
  EXPECT_EQ(request.merchant_reference2(), "mine too");
}

TEST(Correlation, CanBeOff) {
  v1::CreateSessionRequest request;
  EXPECT_FALSE(AddCorrelation(kId, CorrelationField::kNone, &request));
  EXPECT_EQ(request.ByteSizeLong(), 0u);
}

TEST(Correlation, LeavesWhatOnlyLooksLikeIt) {
  for (const char* text :
       {"ipp-gateway:", "ipp-gateway:3f1c2b7a", "ipp-gateway:3f1c2b7a-0a51-4b0e-9d39-1f0d9f0f6a1x",
        "x-ipp-gateway:3f1c2b7a-0a51-4b0e-9d39-1f0d9f0f6a11",
        "ipp-gateway:3f1c2b7a-0a51-4b0e-9d39-1f0d9f0f6a11 "}) {
    v1::Session session;
    session.set_merchant_data(text);
    EXPECT_EQ(TakeCorrelation(&session), "") << text;
    EXPECT_EQ(session.merchant_data(), text);
  }
}

}  // namespace
}  // namespace ipp::upstream
