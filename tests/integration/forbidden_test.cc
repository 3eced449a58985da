// What is forbidden to everyone, each tried over a real socket: none succeeds, and nothing of it
// reaches the upstream.

#include <ostream>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tests/integration/forbidden_rows.h"

namespace ipp {

namespace {

std::vector<ForbiddenRow> Rows() {
  std::vector<ForbiddenRow> rows;
  AddForbiddenCallers(&rows);
  AddForbiddenInputs(&rows);
  return rows;
}

class Forbidden : public testing::TestWithParam<ForbiddenRow> {
 protected:
  static void SetUpTestSuite() { bed_ = new ForbiddenBed; }
  static void TearDownTestSuite() {
    delete bed_;
    bed_ = nullptr;
  }
  static ForbiddenBed* bed_;
};
ForbiddenBed* Forbidden::bed_ = nullptr;

TEST_P(Forbidden, Fails) {
  const ForbiddenRow& row = GetParam();
  const std::string before = bed_->SessionNow();
  bed_->simulator().ForgetRequests();
  EXPECT_EQ(row.attempt(*bed_), row.refused);
  for (const SeenRequest& seen : bed_->simulator().Requests()) {
    EXPECT_TRUE(row.upstream_refuses && seen.status == 404) << seen.call() << " " << seen.status;
  }
  EXPECT_EQ(bed_->SessionNow(), before);
}

INSTANTIATE_TEST_SUITE_P(Rows, Forbidden, testing::ValuesIn(Rows()),
                         [](const auto& info) { return info.param.name; });

// What the rows above rest on: the same ways lead to the upstream when nothing is wrong.
TEST(Permitted, ReachesTheUpstream) {
  ForbiddenBed bed;
  bed.simulator().ForgetRequests();
  EXPECT_EQ(CallRaw(bed.channel(), absl::StrCat(kLocations, "ListLocations"), "",
                    Thief({{"x-merchant-id", kMerchant2}})),
            "OK 1");
  EXPECT_TRUE(PokeHttp2(bed.gateway().app().grpc_port(),
                        {{":method", "POST"},
                         {":scheme", "http"},
                         {":path", absl::StrCat(kLocations, "ListLocations")},
                         {":authority", "gateway"},
                         {"te", "trailers"},
                         {"content-type", "application/grpc"},
                         {"authorization", "Bearer token-of-thief"}}));
  EXPECT_EQ(bed.simulator().Requests().size(), 2u);
  EXPECT_FALSE(bed.SessionNow().empty());
}

TEST(Permitted, CarriesNoForgedHeaderUpstream) {
  ForbiddenBed bed;
  for (const std::string& trace :
       {std::string("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01, authorization: x"),
        std::string("authorization: Basic eDp5"), std::string(55, '-'), std::string(4000, 'f')}) {
    bed.simulator().ForgetRequests();
    EXPECT_EQ(CallRaw(bed.channel(), absl::StrCat(kLocations, "ListLocations"), "",
                      Thief({{"traceparent", trace}, {"x-merchant-id", kMerchant2}})),
              "OK 1");
    const SeenRequest seen = bed.simulator().OnlyRequest();
    EXPECT_EQ(seen.authorization, "key");
    EXPECT_EQ(seen.header("x-merchant-id"), kMerchant2);
    EXPECT_EQ(seen.header("traceparent").size(), 55u);
    EXPECT_NE(seen.header("traceparent"), trace);
  }
}

TEST(Reflection, IsOffWhereItIsTurnedOff) {
  const GatewayBed off({.configure = [](const TestDirectory&, config::Config& config) {
    config.set_reflection(false);
  }});
  const GatewayBed on;
  const std::string path = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
  EXPECT_EQ(CallRaw(off.gateway.channel(), path, "\x3a\x01*", {}), "12");
  EXPECT_EQ(CallRaw(on.gateway.channel(), path, "\x3a\x01*", {}), "OK 1");
  EXPECT_EQ(CallRaw(off.gateway.channel(), absl::StrCat(kLocations, "ListLocations"), "", {}),
            "OK 1");
}

}  // namespace
}  // namespace ipp
