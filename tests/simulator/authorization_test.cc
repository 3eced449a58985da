#include "simulator/base64.h"
#include "tests/simulator/harness.h"

namespace ipp::simulator {
namespace {

struct AuthorizationRow {
  std::string name;
  std::string header;
  int status;
  std::string form;
};

std::string Basic(const std::string& credentials) { return "Basic " + Base64Encode(credentials); }

class SimulatorAuthorization : public SimulatorTest,
                               public testing::WithParamInterface<AuthorizationRow> {};

TEST_P(SimulatorAuthorization, IsCheckedAndNoted) {
  const auto& [name, header, status, form] = GetParam();
  Headers headers = {{"x-merchant-id", kMerchantId}};
  if (!header.empty()) headers.emplace_back("Authorization", header);
  const Reply reply = client_->Call("GET", "/ipp/v1/locations", headers);
  EXPECT_EQ(reply.status, status) << reply.body;
  if (status == 401) {
    EXPECT_EQ(reply.Header("Content-Type"), "application/problem+json");
    EXPECT_EQ(At(reply.Json(), "title"), "Unauthorized");
    EXPECT_EQ(At(reply.Json(), "detail"), "Access Denied");
  }
  const auto requests = client_->Call("GET", "/_sim/requests").Json();
  EXPECT_EQ(At(requests, "requests.0.authorization"), form);
}

const std::string kUser = std::string(kMerchantId) + "-a1b2";
INSTANTIATE_TEST_SUITE_P(
    Forms, SimulatorAuthorization,
    testing::Values(AuthorizationRow{"RawKey", std::string("Basic ") + kKey, 200, "key"},
                    AuthorizationRow{"SchemeInLowerCase", std::string("basic ") + kKey, 200, "key"},
                    AuthorizationRow{"UserAndKey", Basic(kUser + ":" + kKey), 200, "basic"},
                    AuthorizationRow{"NoUser", Basic(std::string(":") + kKey), 200, "basic"},
                    AuthorizationRow{"Nothing", "", 401, "none"},
                    AuthorizationRow{"WrongKey", "Basic kco_test_api_other", 401, "refused"},
                    AuthorizationRow{"EmptyKey", "Basic ", 401, "refused"},
                    AuthorizationRow{"Bearer", std::string("Bearer ") + kKey, 401, "refused"},
                    AuthorizationRow{"UserWithWrongKey", Basic(kUser + ":kco"), 401, "refused"},
                    AuthorizationRow{"BareMerchantId", Basic(std::string(kMerchantId) + ":" + kKey),
                                     401, "refused"},
                    AuthorizationRow{"EmptySuffix", Basic(std::string(kMerchantId) + "-:" + kKey),
                                     401, "refused"},
                    AuthorizationRow{"UserOfOtherMerchant",
                                     Basic(std::string("PM00000002-x:") + kKey), 401, "refused"},
                    AuthorizationRow{"KeyEncodedAlone", Basic(kKey), 401, "refused"}),
    RowName<AuthorizationRow>);

class SimulatorMerchants : public SimulatorTest {};

TEST_F(SimulatorMerchants, SeeNothingOfEachOther) {
  Simulator::Options options;
  options.merchants = {{"PM00000001", kKey}, {"PM00000002", "kco_b"}, {"PM00000002", "kco_c"}};
  Start(options);
  const std::string session = NewSession();
  const auto as = [&](const std::string& key, const std::string& target) {
    return client_->Call("GET", target,
                         {{"Authorization", "Basic " + key}, {"x-merchant-id", "PM00000001"}});
  };
  EXPECT_EQ(as(kKey, "/ipp/v1/sessions/" + session).status, 200);
  for (const std::string key : {"kco_b", "kco_c"}) {
    EXPECT_EQ(as(key, "/ipp/v1/sessions/" + session).status, 404);
    EXPECT_EQ(SizeAt(as(key, "/ipp/v1/devices").Json(), "content"), 0u);
    const auto locations = as(key, "/ipp/v1/locations").Json();
    EXPECT_EQ(At(locations, "content.0.id"), "10c00000-0000-4000-8000-000000000003");
    EXPECT_EQ(At(locations, "content.0.merchant_id"), "PM00000002");
  }
}

}  // namespace
}  // namespace ipp::simulator
