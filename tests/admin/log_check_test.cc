#include "server/admin/log_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/time/time.h"

namespace ipp::admin {
namespace {

using ::testing::HasSubstr;

TEST(LogCheckTest, TellsOfLinesThatWaitAndCountsThoseThatWereLost) {
  Metrics metrics;
  LogCheck check(&metrics);
  EXPECT_EQ(check.Note({}), "");
  EXPECT_THAT(metrics.Text(), HasSubstr("ipp_log_lines_lost_total{kind=\"audit\"} 0\n"));
  EXPECT_EQ(check.Note({.waiting = absl::Milliseconds(900)}), "");
  EXPECT_EQ(check.Note({.lost_lines = 7, .lost_audit_lines = 2, .waiting = absl::Seconds(12.5)}),
            "lines wait for 12s, the log is not read; lost so far: 7 and 2 audit lines");
  EXPECT_EQ(check.Note({.lost_lines = 7, .lost_audit_lines = 2}), "");
  EXPECT_THAT(metrics.Text(), HasSubstr("ipp_log_lines_lost_total{kind=\"audit\"} 2\n"));
  EXPECT_THAT(metrics.Text(), HasSubstr("ipp_log_lines_lost_total{kind=\"other\"} 7\n"));
  EXPECT_THAT(metrics.Text(), HasSubstr("ipp_log_waiting_seconds 0\n"));
}

}  // namespace
}  // namespace ipp::admin
