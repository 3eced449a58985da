#include "server/upstream/credentials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/upstream/upstream_bed.h"

namespace ipp::upstream {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

class CredentialsTest : public testing::Test {
 protected:
  fixtures::KeyFiles files_;
  FakeClock clock_;
  Credentials credentials_;
};

TEST_F(CredentialsTest, SendsTheKeyAloneWithoutAUserName) {
  ASSERT_TRUE(credentials_.Add("PM1", "", files_.Write("key", "kpk_1\n"), &clock_).ok());
  const auto key = credentials_.Find("PM1");
  ASSERT_TRUE(key.ok());
  EXPECT_EQ((*key)->authorization, "Basic kpk_1");
  EXPECT_THAT((*key)->secrets, Contains("kpk_1"));
}

TEST_F(CredentialsTest, EncodesUserNameAndKeyAsHttpBasic) {
  ASSERT_TRUE(credentials_.Add("PM1", "shop", files_.Write("key", "kpk_1"), &clock_).ok());
  const auto key = credentials_.Find("PM1");
  ASSERT_TRUE(key.ok());
  EXPECT_EQ((*key)->authorization, "Basic c2hvcDprcGtfMQ==");
  EXPECT_THAT((*key)->secrets, UnorderedElementsAre("kpk_1", "c2hvcDprcGtfMQ=="));
}

TEST_F(CredentialsTest, KeepsEachMerchantsKeyApart) {
  ASSERT_TRUE(credentials_.Add("PM1", "", files_.Write("key1", "kpk_1"), &clock_).ok());
  ASSERT_TRUE(credentials_.Add("PM2", "", files_.Write("key2", "kpk_2"), &clock_).ok());
  EXPECT_EQ(credentials_.Find("PM1").value()->authorization, "Basic kpk_1");
  EXPECT_EQ(credentials_.Find("PM2").value()->authorization, "Basic kpk_2");
}

TEST_F(CredentialsTest, ReadsAReplacedFileAgain) {
  ASSERT_TRUE(credentials_.Add("PM1", "", files_.Write("key", "kpk_old"), &clock_).ok());
  files_.Write("key", "kpk_new");
  clock_.Advance(absl::Seconds(2));
  EXPECT_EQ(credentials_.Find("PM1").value()->authorization, "Basic kpk_new");
}

TEST_F(CredentialsTest, KeepsAKeyReadyUntilItsFileChanges) {
  ASSERT_TRUE(credentials_.Add("PM1", "", files_.Write("key", "kpk_1"), &clock_).ok());
  const auto first = credentials_.Find("PM1").value();
  clock_.Advance(absl::Seconds(2));
  EXPECT_EQ(credentials_.Find("PM1").value(), first);
}

TEST_F(CredentialsTest, DoesNotKnowOtherMerchants) {
  ASSERT_TRUE(credentials_.Add("PM1", "", files_.Write("key", "kpk_1"), &clock_).ok());
  EXPECT_TRUE(absl::IsNotFound(credentials_.Find("PM2").status()));
  EXPECT_TRUE(absl::IsNotFound(credentials_.Find("").status()));
}

TEST_F(CredentialsTest, RefusesAMissingFileByItsPath) {
  const absl::Status status = credentials_.Add("PM1", "", "/nonexistent/key", &clock_);
  EXPECT_THAT(std::string(status.message()), HasSubstr("/nonexistent/key"));
  EXPECT_FALSE(credentials_.Find("PM1").ok());
}

TEST_F(CredentialsTest, RefusesAKeyThatNoHeaderFieldCarries) {
  for (const char* key :
       {"kpk 1", "kpk\t1", "k\xc3\xa9y", "a\x01", "Basic kpk", "'kpk'", "kpk_1\nkpk_2"}) {
    const absl::Status status = credentials_.Add("PM1", "", files_.Write("key", key), &clock_);
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << key;
    EXPECT_THAT(std::string(status.message()), HasSubstr("/key: ")) << key;
    EXPECT_THAT(std::string(status.message()), testing::Not(HasSubstr(key)));
  }
}

TEST_F(CredentialsTest, RefusesAnEmptyFile) {
  EXPECT_FALSE(credentials_.Add("PM1", "", files_.Write("key", "\n"), &clock_).ok());
}

}  // namespace
}  // namespace ipp::upstream
