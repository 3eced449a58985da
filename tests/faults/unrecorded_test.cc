#include "tests/faults/unrecorded.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ipp::faults {
namespace {

using testing::ElementsAre;

TEST(Unrecorded, TakesBackWhatTheLogSays) {
  Ledger ledger;
  ledger.acknowledged = {"kept", "not-kept", "not-settled"};
  ledger.creates = {{.reference = "1", .request_id = "", .session_id = "kept"},
                    {.reference = "2", .request_id = "", .session_id = "not-kept"},
                    {.reference = "3", .request_id = "", .session_id = ""},
                    {.reference = "4", .request_id = "r4", .session_id = "not-settled"}};
  NoteUnrecorded(
      "2026-01-01T00:00:00.000Z info started version=0.1.0\n"
      "2026-01-01T00:00:01.000Z error a session could not be recorded session_id=not-kept "
      "status=\"UNAVAILABLE: disk full\"\n"
      "2026-01-01T00:00:01.000Z warning a read of a session could not be recorded session=kept\n"
      "2026-01-01T00:00:01.000Z error a session could not be recorded\n"
      "2026-01-01T00:00:02.000Z error what became of a create could not be written down "
      "rpc=CreateSession merchant=M request_id=r4 status=\"UNAVAILABLE: gone\"\n",
      &ledger);
  EXPECT_THAT(ledger.acknowledged, ElementsAre("kept"));
  EXPECT_TRUE(ledger.creates[0].recorded);
  EXPECT_FALSE(ledger.creates[1].recorded);
  EXPECT_TRUE(ledger.creates[2].recorded);
  EXPECT_FALSE(ledger.creates[3].recorded);
}

}  // namespace
}  // namespace ipp::faults
