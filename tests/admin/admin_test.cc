#include "server/admin/admin.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"

namespace ipp::admin {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

AdminPages Pages(Metrics* metrics, std::vector<AdminPages::Check> checks = {}) {
  return AdminPages(metrics, std::move(checks), [] { return std::string("listen: x\n"); });
}

AdminPages::Check Passing(std::string name) {
  return {std::move(name), [] { return absl::OkStatus(); }};
}

AdminPages::Check Failing(std::string name, absl::Status status) {
  return {std::move(name), [status = std::move(status)] { return status; }};
}

TEST(AdminPages, LivezNeedsNoCheck) {
  Metrics metrics;
  const Page page =
      Pages(&metrics, {Failing("store", absl::UnavailableError("full"))}).Get("GET", "/livez");
  EXPECT_EQ(page.code, 200);
  EXPECT_EQ(page.body, "ok\n");
}

TEST(AdminPages, ReadyzListsPassingChecks) {
  Metrics metrics;
  const Page page = Pages(&metrics, {Passing("store"), Passing("upstream")}).Get("GET", "/readyz");
  EXPECT_EQ(page.code, 200);
  EXPECT_EQ(page.body, "store: ok\nupstream: ok\n");
}

TEST(AdminPages, ReadyzIs503WhenOneCheckFails) {
  Metrics metrics;
  const Page page = Pages(&metrics, {Failing("store", absl::UnavailableError("disk full\r\nx: ok")),
                                     Passing("upstream")})
                        .Get("GET", "/readyz");
  EXPECT_EQ(page.code, 503);
  EXPECT_EQ(page.body, "store: UNAVAILABLE: disk full  x: ok\nupstream: ok\n");
}

TEST(AdminPages, ReadyzAsksTheChecksEachTime) {
  Metrics metrics;
  bool ready = false;
  const AdminPages pages =
      Pages(&metrics, {{"drain", [&ready] {
                          return ready ? absl::OkStatus() : absl::UnavailableError("starting");
                        }}});
  EXPECT_EQ(pages.Get("GET", "/readyz").code, 503);
  ready = true;
  EXPECT_EQ(pages.Get("GET", "/readyz").code, 200);
}

TEST(AdminPages, ReadyzWithoutChecksIsOk) {
  Metrics metrics;
  EXPECT_EQ(Pages(&metrics).Get("GET", "/readyz").body, "ok\n");
}

TEST(AdminPages, MetricsAreInPrometheusFormat) {
  Metrics metrics;
  metrics.counter("ipp_things_total", "Things.", {{"kind", "a"}}).Add(3);
  const Page page = Pages(&metrics).Get("GET", "/metrics");
  EXPECT_THAT(page.content_type, StartsWith("text/plain; version=0.0.4"));
  EXPECT_THAT(page.body, HasSubstr("ipp_things_total{kind=\"a\"} 3"));
}

TEST(AdminPages, ConfigzIsTheConfiguration) {
  Metrics metrics;
  const Page page = Pages(&metrics).Get("GET", "/configz");
  EXPECT_EQ(page.code, 200);
  EXPECT_THAT(page.content_type, StartsWith("text/yaml"));
  EXPECT_EQ(page.body, "listen: x\n");
}

TEST(AdminPages, IndexListsEveryPage) {
  Metrics metrics;
  const AdminPages pages = Pages(&metrics);
  const Page index = pages.Get("GET", "/");
  for (const char* path : {"/livez", "/readyz", "/metrics", "/configz"}) {
    EXPECT_THAT(index.body, HasSubstr(path));
    EXPECT_EQ(pages.Get("GET", path).code, 200) << path;
    EXPECT_EQ(pages.Get("HEAD", path).code, 200) << path;
  }
}

struct BadQuestion {
  const char* name;
  const char* method;
  const char* path;
  int code;
};

class AdminPagesBadQuestion : public testing::TestWithParam<BadQuestion> {};

TEST_P(AdminPagesBadQuestion, IsRefused) {
  Metrics metrics;
  EXPECT_EQ(Pages(&metrics).Get(GetParam().method, GetParam().path).code, GetParam().code);
}

INSTANTIATE_TEST_SUITE_P(Table, AdminPagesBadQuestion,
                         testing::Values(BadQuestion{"OtherPath", "GET", "/admin", 404},
                                         BadQuestion{"EmptyPath", "GET", "", 404},
                                         BadQuestion{"DeeperPath", "GET", "/livez/x", 404},
                                         BadQuestion{"TrailingSlash", "GET", "/livez/", 404},
                                         BadQuestion{"OtherCase", "GET", "/Livez", 404},
                                         BadQuestion{"PostOther", "POST", "/admin", 404},
                                         BadQuestion{"Post", "POST", "/readyz", 405},
                                         BadQuestion{"Delete", "DELETE", "/configz", 405},
                                         BadQuestion{"LowerCaseMethod", "get", "/metrics", 405}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace ipp::admin
