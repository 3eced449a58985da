// when_a_call_fails ADDRESS DEVICE REQUEST_ID AMOUNT SECONDS: pays with the C++ code of
// docs/when-a-call-fails.md, and prints what it made of it: "session ID", "failed MESSAGE" or
// "later REQUEST_ID".
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "kustom/ipp/v1/session.pb.h"

namespace {

// The shop that the page's code is a part of.
struct Cart {
  std::string payment_request_id;
  absl::Duration patience;
  std::string device_id;
  int64_t amount;
};
using Payment = std::string;

kustom::ipp::v1::CreateSessionRequest OrderOf(const Cart& cart) {
  kustom::ipp::v1::CreateSessionRequest request;
  request.set_device_id(cart.device_id);
  request.set_order_amount(cart.amount);
  request.set_purchase_currency("SEK");
  const char* reference = std::getenv("MERCHANT_REFERENCE");
  request.set_merchant_reference1(reference != nullptr ? reference : cart.payment_request_id);
  auto* item = request.add_order_items();
  item->set_type(kustom::ipp::v1::ORDER_ITEM_TYPE_PHYSICAL);
  item->set_name("Coffee");
  item->set_quantity(1);
  item->set_unit_price(cart.amount);
  item->set_total_amount(cart.amount);
  return request;
}
Payment OnThePhone(const kustom::ipp::v1::Session& session) {
  return absl::StrCat("session ", session.session_id());
}
Payment Failed(absl::string_view message) { return absl::StrCat("failed ", message); }
Payment AskAgainLater(const Cart& cart) { return absl::StrCat("later ", cart.payment_request_id); }

}  // namespace

#include "tests/e2e/when_a_call_fails_page.h"

int main(int argc, char** argv) {
  if (argc != 6) {
    std::cerr << "usage: when_a_call_fails ADDRESS DEVICE REQUEST_ID AMOUNT SECONDS\n";
    return 2;
  }
  ipp::client::ConnectionOptions options;
  options.address = argv[1];
  const auto gateway = ipp::client::Connection::Create(options);
  if (!gateway.ok()) {
    std::cerr << gateway.status() << "\n";
    return 1;
  }
  std::cout << Pay(**gateway, {.payment_request_id = argv[3],
                               .patience = absl::Seconds(std::atoi(argv[5])),
                               .device_id = argv[2],
                               .amount = std::atoll(argv[4])})
            << "\n";
}
