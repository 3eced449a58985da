#include "ippclient/stop_on_signals.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <semaphore>

namespace ipp::client {
namespace {

TEST(StopOnSignals, StopsForEachOfThem) {
  std::counting_semaphore<4> stopped{0};
  const StopOnSignals stop([&] { stopped.release(); });
  for (const int signal : {SIGTERM, SIGINT, SIGTERM}) {
    raise(signal);
    stopped.acquire();
  }
}

TEST(StopOnSignals, PutsBackWhatWasThere) {
  struct sigaction own = {}, before = {}, after = {};
  own.sa_handler = SIG_IGN;
  sigaction(SIGTERM, &own, &before);
  {
    const StopOnSignals stop([] {});
  }
  sigaction(SIGTERM, &before, &after);
  EXPECT_EQ(after.sa_handler, SIG_IGN);
}

}  // namespace
}  // namespace ipp::client
