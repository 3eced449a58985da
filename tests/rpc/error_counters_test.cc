#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "server/rpc/method_table.h"

namespace ipp::rpc {
namespace {

class ErrorCountersTest : public testing::Test {
 protected:
  double Counted(const std::string& reason) {
    return metrics_.counter("ipp_errors_total", "", {{"rpc", "GetSession"}, {"reason", reason}})
        .value();
  }
  Metrics metrics_;
  ErrorCounters errors_{"GetSession", &metrics_};
};

TEST_F(ErrorCountersTest, CountEachReasonByItself) {
  errors_.Count("NOT_FOUND");
  errors_.Count("NOT_FOUND");
  errors_.Count("UPSTREAM_500");
  EXPECT_EQ(Counted("NOT_FOUND"), 2);
  EXPECT_EQ(Counted("UPSTREAM_500"), 1);
}

TEST_F(ErrorCountersTest, CountWhatHasNoReasonAsTheCallerIsTold) {
  errors_.Count("");
  EXPECT_EQ(Counted("INTERNAL"), 1);
}

// A label for each would be a way to fill the memory, also Prometheus'.
TEST_F(ErrorCountersTest, AreFewWhateverTheReasons) {
  for (const char* reason : {"not a reason", "secret-token", "lower"}) {
    errors_.Count(reason);
  }
  errors_.Count(std::string(1000, 'A'));
  EXPECT_EQ(Counted("other"), 4);
  for (int i = 0; i < 1000; ++i) errors_.Count(absl::StrCat("REASON_", i));
  EXPECT_EQ(metrics_.Text().find("REASON_500"), std::string::npos);
  EXPECT_GT(Counted("other"), 900);
  EXPECT_EQ(Counted("REASON_0"), 1);
}

}  // namespace
}  // namespace ipp::rpc
