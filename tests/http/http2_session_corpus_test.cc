#include <gtest/gtest.h>

#include "tests/http/http2_session_check.h"
#include "tests/support/corpus.h"

namespace ipp::http {
namespace {

TEST(Http2SessionCorpus, HoldsForEveryInputAndItsNeighbours) {
  CheckCorpus("http2_session", CheckHttp2Session);
}

}  // namespace
}  // namespace ipp::http
