#include "server/admin/admin.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"

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
      Pages(&metrics, {Failing("store", absl::UnavailableError("full"))}).Get("/livez");
  EXPECT_EQ(page.code, 200);
  EXPECT_EQ(page.body, "ok\n");
}

TEST(AdminPages, ReadyzListsPassingChecks) {
  Metrics metrics;
  const Page page = Pages(&metrics, {Passing("store"), Passing("upstream")}).Get("/readyz");
  EXPECT_EQ(page.code, 200);
  EXPECT_EQ(page.body, "store: ok\nupstream: ok\n");
}

TEST(AdminPages, ReadyzIs503WhenOneCheckFails) {
  Metrics metrics;
  const Page page = Pages(&metrics, {Failing("store", absl::UnavailableError("disk full\r\nx: ok")),
                                     Passing("upstream")})
                        .Get("/readyz");
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
  EXPECT_EQ(pages.Get("/readyz").code, 503);
  ready = true;
  EXPECT_EQ(pages.Get("/readyz").code, 200);
}

TEST(AdminPages, ReadyzWithoutChecksIsOk) {
  Metrics metrics;
  EXPECT_EQ(Pages(&metrics).Get("/readyz").body, "ok\n");
}

TEST(AdminPages, MetricsAreInPrometheusFormat) {
  Metrics metrics;
  metrics.counter("ipp_things_total", "Things.", {{"kind", "a"}}).Add(3);
  Gauge& fresh = metrics.gauge("fresh", "x");
  const AdminPages pages(
      &metrics, {}, [] { return std::string(); }, [&fresh] { fresh.Add(1); });
  EXPECT_THAT(pages.Get("/metrics").body, HasSubstr("fresh 1\n"));
  EXPECT_THAT(pages.Get("/metrics").body, HasSubstr("fresh 2\n"));
  const Page page = Pages(&metrics).Get("/metrics");
  EXPECT_THAT(page.content_type, StartsWith("text/plain; version=0.0.4"));
  EXPECT_THAT(page.body, HasSubstr("ipp_things_total{kind=\"a\"} 3"));
}

// As Prometheus asks.
constexpr char kAccept[] =
    "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";

TEST(AdminPages, MetricsAreInTheOpenMetricsFormatWhereThereAreExemplars) {
  Metrics metrics;
  metrics.histogram("seconds", "Seconds.").Observe(1, "4bf92f3577b34da6a3ce929d0e0e4736");
  for (const bool exemplars : {false, true}) {
    const AdminPages pages(&metrics, {}, nullptr, nullptr, exemplars);
    for (const std::string accept : {"", "text/plain", "*/*", kAccept}) {
      const bool open = exemplars && accept == kAccept;
      const Page page = pages.Get("/metrics", accept);
      EXPECT_THAT(page.content_type, StartsWith(open ? "application/openmetrics-text; version=1.0.0"
                                                     : "text/plain; version=0.0.4"));
      EXPECT_EQ(absl::StrContains(page.body, "trace_id"), open) << page.body;
    }
  }
}

TEST(AdminPages, ConfigzIsTheConfiguration) {
  Metrics metrics;
  const Page page = Pages(&metrics).Get("/configz");
  EXPECT_EQ(page.code, 200);
  EXPECT_THAT(page.content_type, StartsWith("text/yaml"));
  EXPECT_EQ(page.body, "listen: x\n");
}

TEST(AdminPages, IndexListsEveryPage) {
  Metrics metrics;
  const AdminPages pages = Pages(&metrics);
  const Page index = pages.Get("/");
  for (const char* path : {"/livez", "/readyz", "/metrics", "/configz"}) {
    EXPECT_THAT(index.body, HasSubstr(path));
    EXPECT_EQ(pages.Get(path).code, 200) << path;
  }
}

TEST(AdminPages, KnowNoOtherPath) {
  Metrics metrics;
  for (const char* path : {"/admin", "", "/livez/x", "/livez/", "/Livez"}) {
    EXPECT_EQ(Pages(&metrics).Get(path).code, 404) << path;
  }
}

TEST(AdminPages, HaveEveryPathThatTheyList) {
  Metrics metrics;
  for (const std::string& path : AdminPages::Paths()) {
    EXPECT_EQ(Pages(&metrics).Get(path).code, 200) << path;
  }
}

}  // namespace
}  // namespace ipp::admin
