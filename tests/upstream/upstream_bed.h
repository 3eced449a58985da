#pragma once

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "server/base/metrics.h"
#include "server/routes/route_table.h"
#include "server/upstream/credentials.h"
#include "server/upstream/upstream_client.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_transport.h"

// What the suites over upstream/ stand on.
namespace ipp::upstream::fixtures {

// The contract's routes, compiled once.
inline const routes::RouteTable& Routes() {
  static const routes::RouteTable* const kRoutes =
      routes::RouteTable::CompileContract().value().release();
  return *kRoutes;
}
inline const routes::Route& RouteOf(const std::string& rpc) {
  return *Routes().Find("kustom.ipp.v1." + rpc);
}

// Files with keys, gone afterwards.
class KeyFiles {
 public:
  KeyFiles() {
    std::string pattern = testing::TempDir() + "ipp-upstream-XXXXXX";
    directory_ = mkdtemp(pattern.data());
  }
  ~KeyFiles() { std::filesystem::remove_all(directory_); }

  // Made new or put in place of the old one, as Kubernetes does. The path.
  std::string Write(const std::string& name, const std::string& text) {
    std::ofstream(directory_ / "new", std::ios::binary) << text;
    std::filesystem::rename(directory_ / "new", directory_ / name);
    return directory_ / name;
  }

 private:
  std::filesystem::path directory_;
};

inline constexpr char kKey[] = "kpk_test_51H";

// A client of the merchants PM1 (the key alone) and PM2 (with a user name) over a scripted
// transport.
class UpstreamBed : public testing::Test {
 protected:
  UpstreamBed() {
    EXPECT_TRUE(credentials_.Add("PM1", "", files_.Write("pm1", kKey), &clock_).ok());
    EXPECT_TRUE(credentials_.Add("PM2", "shop", files_.Write("pm2", kKey), &clock_).ok());
    Restart({});
  }

  // What is still under way ends while all that it refers to is there.
  void TearDown() override { own_transport_.reset(); }

  // A new client with these options.
  void Restart(UpstreamOptions options) {
    client_ = std::make_unique<UpstreamClient>(&transport_, &credentials_, &Routes(), &clock_,
                                               &scheduler_, &metrics_, options);
  }
  CallContext Context(absl::Duration time_left = absl::Seconds(30)) {
    return {.merchant_id = "PM1", .trace = {}, .deadline = clock_.Now() + time_left};
  }
  double Count(const std::string& rpc, const std::string& result) {
    return metrics_
        .counter("ipp_upstream_requests_total", "", {{"operation", rpc}, {"result", result}})
        .value();
  }
  double Retries(const std::string& rpc) {
    return metrics_.counter("ipp_upstream_retries_total", "", {{"operation", rpc}}).value();
  }

  KeyFiles files_;
  FakeClock clock_;
  FakeScheduler scheduler_{&clock_};
  std::unique_ptr<http::FakeTransport> own_transport_ =
      std::make_unique<http::FakeTransport>(&clock_);
  http::FakeTransport& transport_ = *own_transport_;
  Metrics metrics_;
  Credentials credentials_;
  std::unique_ptr<UpstreamClient> client_;
};

}  // namespace ipp::upstream::fixtures
