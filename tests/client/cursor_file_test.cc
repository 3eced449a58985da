#include "client/ippctl/cursor_file.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/client/temporary_folder.h"

namespace ipp::ippctl {
namespace {

TEST(CursorFile, KeepsTheLastCursor) {
  const TemporaryFolder folder;
  CursorFile file(folder / "cursor");
  EXPECT_EQ(*file.Read(), "");
  ASSERT_TRUE(file.Keep("c-1").ok());
  ASSERT_TRUE(file.Keep("c-22").ok());
  EXPECT_EQ(*CursorFile(folder / "cursor").Read(), "c-22");
  EXPECT_EQ(folder.Read("cursor"), "c-22\n");
  // Nothing is left of the way there.
  int entries = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder / "")) {
    ++entries;
  }
  EXPECT_EQ(entries, 1);
}

TEST(CursorFile, WithoutAPathKeepsNothing) {
  CursorFile file("");
  EXPECT_TRUE(file.Keep("c").ok());
  EXPECT_EQ(*file.Read(), "");
}

TEST(CursorFile, ThatHoldsNoCursorIsAnError) {
  const TemporaryFolder folder;
  for (const char* text : {"", "\n", "two words", "c-1\nc-2\n", "\x01"}) {
    const std::string path = folder.Write("cursor", text);
    EXPECT_EQ(std::string(CursorFile(path).Read().status().message()), path + " holds no cursor");
  }
  EXPECT_TRUE(absl::IsNotFound(CursorFile(folder / "cursor/below").Read().status()));
  EXPECT_FALSE(CursorFile(folder / "").Read().ok());
}

TEST(CursorFile, ThatCannotBeWrittenIsAnError) {
  const TemporaryFolder folder;
  const std::string path = folder / "no/such/folder";
  EXPECT_EQ(std::string(CursorFile(path).Keep("c").message()),
            "cannot write the cursor file " + path);
}

}  // namespace
}  // namespace ipp::ippctl
