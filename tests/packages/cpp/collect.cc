#include <utility>

#include "absl/strings/strip.h"
#include "tests/packages/cpp/driver.h"

namespace ipp::driver {
namespace {

namespace v1 = ::kustom::ipp::v1;
using client::Money;
using client::PaymentEnd;

const char* NameOf(Money money) {
  switch (money) {
    case Money::kPaid:
      return "PAID";
    case Money::kNotPaid:
      return "NOT_PAID";
    case Money::kNotKnown:
      break;
  }
  return "NOT_KNOWN";
}

const char* NameOf(PaymentEnd end) {
  switch (end) {
    case PaymentEnd::kPaid:
      return "PAID";
    case PaymentEnd::kCancelled:
      return "CANCELLED";
    case PaymentEnd::kExpired:
      return "EXPIRED";
    case PaymentEnd::kFailed:
      return "FAILED";
    case PaymentEnd::kNotCreated:
      return "NOT_CREATED";
    case PaymentEnd::kStopped:
      return "STOPPED";
    case PaymentEnd::kGaveUp:
      break;
  }
  return "GAVE_UP";
}

}  // namespace

Answer Collect(Run* run) {
  const Order& order = run->order;
  v1::CreateSessionRequest request;
  ReadRequest(order, &request);
  std::vector<std::string> steps;

  client::PaymentOptions options;
  options.timeout = absl::Seconds(Number(order, "timeout"));
  options.create_timeout = Timing(order, "create");
  options.stop_timeout = Timing(order, "stop");
  options.answer_allowance = Timing(order, "answer_allowance");
  options.look = Timing(order, "look");
  options.heartbeat = Timing(order, "heartbeat");
  options.first_pause = Timing(order, "first_pause");
  options.longest_pause = Timing(order, "longest_pause");
  options.resumed = Flag(order, "resumed");
  if (Text(order, "on_stop") == "LEAVE_SESSION") {
    options.on_stop = client::PaymentOptions::OnStop::kLeaveSession;
  }
  options.on_step = [&](const v1::WatchSessionResponse& step) {
    const std::string name = v1::SessionStatus_Name(step.session().status());
    steps.emplace_back(absl::StripPrefix(name, "SESSION_STATUS_"));
  };

  client::Payment payment(run->connection->channel(), request, options);
  run->stop.Set([&] { payment.Cancel(); });
  const client::PaymentResult result = payment.Collect();
  run->stop.Set(nullptr);

  Answer answer;
  Set(&answer, "money", NameOf(result.money));
  Set(&answer, "end", NameOf(result.end));
  Set(&answer, "request_id", result.request_id);
  Set(&answer, "order_id", result.session.order_id());
  Set(&answer, "steps", steps);
  return answer;
}

}  // namespace ipp::driver
