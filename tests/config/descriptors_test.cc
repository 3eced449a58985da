#include "server/config/descriptors.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "server/config/config.h"

namespace ipp::config {
namespace {

int64_t Most(const std::vector<DescriptorUse>& uses, const std::string& key) {
  for (const DescriptorUse& use : uses) {
    if (use.key == key) return use.most;
  }
  ADD_FAILURE() << key;
  return 0;
}

TEST(Descriptors, AreThoseOfEveryKeyThatBoundsConnections) {
  Config config = Defaults();
  config.mutable_connections()->set_max(1000);
  config.mutable_webhooks()->set_max_connections(200);
  config.mutable_admin()->set_max_connections(100);
  config.mutable_upstream()->set_connections(3);
  config.mutable_upstream()->set_loops(2);
  std::vector<DescriptorUse> uses = DescriptorUses(config);
  EXPECT_EQ(uses.front().key, "connections.max");
  EXPECT_EQ(Most(uses, "connections.max"), 2000);
  EXPECT_EQ(Most(uses, "webhooks.max_connections"), 264);
  EXPECT_EQ(Most(uses, "admin.max_connections"), 164);
  EXPECT_EQ(Most(uses, "upstream.connections"), 6);

  config.mutable_upstream()->set_transport("http2");
  config.mutable_webhooks()->set_max_connections(5000);
  uses = DescriptorUses(config);
  EXPECT_EQ(Most(uses, "upstream.connections"), 18);
  EXPECT_EQ(uses.front().key, "webhooks.max_connections");
}

}  // namespace
}  // namespace ipp::config
