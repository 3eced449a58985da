#include "client/utf8.h"

#include <gtest/gtest.h>

#include <string>

#include "kustom/ipp/v1/session.pb.h"

namespace ipp::client {
namespace {

TEST(Utf8, IsWhatRfc3629SaysItIs) {
  for (const char* good : {"", "Coffee", "Caf\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\x7f",
                           "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
                           "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(IsUtf8(good)) << good;
    EXPECT_TRUE(IsUtf8(std::string("a") + good + "b")) << good;
  }
  EXPECT_TRUE(IsUtf8(absl::string_view("\0", 1)));
  for (const char* bad :
       {"\x80", "\xbf", "Caf\xe9", "\xc0\x80", "\xc1\xbf", "\xc3", "\xe0\x9f\xbf", "\xe2\x82",
        "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf", "\xf0\x9f\x98", "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80", "\xf8\x88\x80\x80\x80", "\xfe", "\xff", "\xc3\xc3"}) {
    EXPECT_FALSE(IsUtf8(bad)) << bad;
    EXPECT_FALSE(IsUtf8(std::string("a") + bad + "b")) << bad;
  }
}

TEST(Utf8, FindsTheFieldWhereverItIs) {
  kustom::ipp::v1::CreateSessionRequest request;
  request.set_merchant_reference1("\xc3\xa9");
  request.add_order_items()->set_name("a");
  EXPECT_EQ(FieldNotUtf8(request), std::nullopt);
  request.add_order_items()->set_name("\xe9");
  EXPECT_EQ(FieldNotUtf8(request), "order_items[1].name");
  request.clear_order_items();
  request.set_merchant_reference1("\xe9");
  EXPECT_EQ(FieldNotUtf8(request), "merchant_reference1");
}

}  // namespace
}  // namespace ipp::client
