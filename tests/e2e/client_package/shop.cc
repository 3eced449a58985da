// shop ADDRESS DEVICE: a consumer of the installed library. Pays while a subscription and a reader
// follow the log, and a shared subscription is consumed, with the code of client/README.md, and
// says how it went.
#include "follow.h"  // the page's code

#include <grpcpp/support/error_details.h>

#include <csignal>
#include <cstdlib>
#include <thread>
#include <utility>

#include "consume.h"  // the page's code
#include "google/rpc/status.pb.h"
#include "kustom/ipp/v1/session.grpc.pb.h"

namespace v1 = kustom::ipp::v1;

namespace {

// What one subscriber has heard of the payment with this request_id.
class Heard {
 public:
  explicit Heard(std::string request_id) : request_id_(std::move(request_id)) {}

  // False once it is paid.
  bool Add(const v1::SessionEvent& event) {
    if (event.request_id() != request_id_) return true;
    types_ += (types_.empty() ? "" : " ") + v1::SessionEventType_Name(event.type()).substr(19);
    return event.type() != v1::SESSION_EVENT_TYPE_FINALIZED;
  }
  const std::string& types() const { return types_; }

 private:
  const std::string request_id_;
  std::string types_;
};

class ShopsBooks : public Books {
 public:
  explicit ShopsBooks(std::string request_id) : heard(std::move(request_id)) {}
  Heard heard;
  ipp::client::EventSubscription* subscription = nullptr;

 private:
  void Keep(const v1::SessionEvent& event) override {
    if (!heard.Add(event)) subscription->Cancel();
  }
  void KeepPlace(const std::string& /*cursor*/) override {}
};

v1::CreateSessionRequest OrderFor(const std::string& device) {
  v1::CreateSessionRequest order;
  order.set_device_id(device);
  order.set_order_amount(4500);
  order.set_purchase_currency("SEK");
  v1::OrderItem* item = order.add_order_items();
  item->set_name("Tea");
  item->set_quantity(1);
  item->set_unit_price(4500);
  item->set_total_amount(4500);
  return order;
}

// The library's reading of an error, and Google's.
bool ErrorsAgree(const std::shared_ptr<grpc::Channel>& channel) {
  grpc::ClientContext context;
  v1::GetSessionResponse response;
  const grpc::Status status =
      v1::SessionService::NewStub(channel)->GetSession(&context, {}, &response);
  google::rpc::Status details;
  if (!grpc::ExtractErrorDetails(status, &details).ok()) return false;
  for (const google::protobuf::Any& any : details.details()) {
    google::rpc::ErrorInfo info;
    if (!any.UnpackTo(&info)) continue;
    return info.reason() == "INVALID_REQUEST" &&
           ipp::client::DecodeError(status).reason == info.reason();
  }
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  ipp::client::ConnectionOptions where;
  where.address = argv[1];
  const auto gateway = ipp::client::Connection::Create(where);
  if (!gateway.ok() || !ErrorsAgree((*gateway)->channel())) {
    std::cerr << "the library and Google's classes read an error differently\n";
    return 1;
  }

  ipp::client::PaymentOptions options;
  options.on_step = [](const v1::WatchSessionResponse& step) {
    std::cout << v1::SessionStatus_Name(step.session().status()) << " "
              << step.session().session_id() << std::endl;
  };
  ipp::client::Payment payment((*gateway)->channel(), OrderFor(argv[2]), options);

  ShopsBooks books(payment.request_id());
  ipp::client::EventSubscription subscription((*gateway)->channel(), From(""));
  books.subscription = &subscription;
  subscription.Start(&books);
  Heard pulled(payment.request_id());
  std::thread puller([&] {
    Pull(
        **gateway, "", [&](const v1::SessionEvent& event) { return pulled.Add(event); }, [] {});
  });

  Heard consumed(payment.request_id());
  grpc::Status consumer_ended;
  std::thread consumer([&] {
    consumer_ended = Consume(**gateway, [&](const v1::SessionEvent& event) {
      if (!consumed.Add(event)) std::raise(SIGTERM);
      return absl::OkStatus();
    });
  });

  const ipp::client::PaymentResult result = payment.Collect();
  if (result.money != ipp::client::Money::kPaid) {
    std::cerr << "not paid: " << result.status.error_message() << "\n";
    std::quick_exit(1);
  }
  std::cout << (subscription.Wait().ok() ? "called: " : "broken: ") << books.heard.types() << "\n";
  puller.join();
  std::cout << "pulled: " << pulled.types() << "\n";
  consumer.join();
  std::cout << (consumer_ended.ok() ? "consumed: " : "broken: ") << consumed.types() << "\n";
  std::cout << "paid, order " << result.session.order_id() << std::endl;
}
