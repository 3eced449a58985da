#include "client/ippctl/json_text.h"

#include <gtest/gtest.h>

#include <string>

namespace ipp::ippctl {
namespace {

TEST(JsonText, EscapesWhatAStringMayNotHold) {
  EXPECT_EQ(JsonString("a \"b\" \\ / \u00e5 <>"), "\"a \\\"b\\\" \\\\ / \u00e5 <>\"");
  EXPECT_EQ(JsonString(std::string("\n\0\x1f\x7f", 4)), "\"\\u000a\\u0000\\u001f\x7f\"");
  EXPECT_EQ(JsonString(""), "\"\"");
}

TEST(JsonText, KeepsTheMembersInOrder) {
  JsonObject inner;
  inner.Add("x", int64_t{-1});
  JsonObject object;
  object.Add("b", "text")
      .Add("a", true)
      .Add("c", false)
      .AddStringOrNull("d", "")
      .AddStringOrNull("e", "f")
      .Add("g", inner);
  EXPECT_EQ(object.text(), R"({"b":"text","a":true,"c":false,"d":null,"e":"f","g":{"x":-1}})");
  EXPECT_EQ(JsonObject().text(), "{}");
}

}  // namespace
}  // namespace ipp::ippctl
