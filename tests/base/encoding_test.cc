#include "server/base/encoding.h"

#include <optional>

#include "gtest/gtest.h"

namespace ipp {
namespace {

TEST(DecodeBase64, TakesTheCanonicalFormOnly) {
  EXPECT_EQ(DecodeBase64("+/8="), "\xfb\xff");
  EXPECT_EQ(DecodeBase64(""), "");
  for (const char* text : {"+/8", "+/8.", "+/9=", " +/8=", "+/8=\n", "-_8=", "+/8==", "+", "é"}) {
    EXPECT_EQ(DecodeBase64(text), std::nullopt) << text;
  }
}

TEST(DecodeBase64Url, TakesTheCanonicalFormOnly) {
  EXPECT_EQ(DecodeBase64Url("-_8"), "\xfb\xff");
  EXPECT_EQ(DecodeBase64Url(""), "");
  for (const char* text : {"-_8=", "-_9", " -_8", "-_8\n", "+/8", "-", "é"}) {
    EXPECT_EQ(DecodeBase64Url(text), std::nullopt) << text;
  }
}

TEST(BytesOfHex, ReadsEitherCase) {
  EXPECT_EQ(BytesOfHex(""), "");
  EXPECT_EQ(BytesOfHex("00ff7f80"), std::string("\0\xff\x7f\x80", 4));
  EXPECT_EQ(BytesOfHex("0123456789abcdef"), BytesOfHex("0123456789ABCDEF"));
}

TEST(CutUtf8, KeepsCharactersWhole) {
  EXPECT_EQ(CutUtf8("abc", 3), "abc");
  EXPECT_EQ(CutUtf8("abc", 2), "ab");
  EXPECT_EQ(CutUtf8("aé", 2), "a");
  EXPECT_EQ(CutUtf8("aé", 3), "aé");
  EXPECT_EQ(CutUtf8("€€", 5), "€");
  EXPECT_EQ(CutUtf8("\x80\x80", 1), "") << "no UTF-8 at all";
}

}  // namespace
}  // namespace ipp
