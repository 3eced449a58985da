#include "tests/faults/unrecorded.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ipp::faults {
namespace {

using testing::ElementsAre;

TEST(Unrecorded, TakesBackWhatTheLogSays) {
  Ledger ledger;
  ledger.acknowledged = {"kept", "not-kept"};
  ledger.creates = {{.reference = "1", .request_id = "", .session_id = "kept"},
                    {.reference = "2", .request_id = "", .session_id = "not-kept"},
                    {.reference = "3", .request_id = "", .session_id = ""}};
  NoteUnrecorded(
      "2026-01-01T00:00:00.000Z info started version=0.1.0\n"
      "2026-01-01T00:00:01.000Z error a session could not be recorded session_id=not-kept "
      "status=\"UNAVAILABLE: disk full\"\n"
      "2026-01-01T00:00:01.000Z warning a read of a session could not be recorded session=kept\n"
      "2026-01-01T00:00:01.000Z error a session could not be recorded\n",
      &ledger);
  EXPECT_THAT(ledger.acknowledged, ElementsAre("kept"));
  EXPECT_TRUE(ledger.creates[0].recorded);
  EXPECT_FALSE(ledger.creates[1].recorded);
}

}  // namespace
}  // namespace ipp::faults
