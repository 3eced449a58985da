#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/client/fake_gateway.h"
#include "tests/client/ippctl_run.h"
#include "tests/client/scripted_events.h"

namespace ipp::ippctl {

namespace v1 = ::kustom::ipp::v1;

class IppctlTest : public ::testing::Test {
 protected:
  // Expects success.
  std::string Out(std::vector<std::string> args, const std::string& input = "") {
    const RunResult run = RunAt(gateway_.address(), std::move(args), input);
    EXPECT_EQ(run.exit_code, 0) << run.err;
    err_ = run.err;
    return run.out;
  }

  client::ScriptedEvents events_;
  client::FakeGateway gateway_{&events_};
  std::string err_;
};

}  // namespace ipp::ippctl
