#include "tests/webhook/webhook_check.h"

#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/base/log.h"
#include "server/base/metrics.h"
#include "server/json/scalars.h"
#include "server/sessions/session_recorder.h"
#include "server/webhook/receiver.h"
#include "server/webhook/signature.h"
#include "server/webhook/webhook_event.pb.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_store.h"
#include "tests/support/odd_json.h"
#include "tests/support/require.h"
#include "tests/webhook/example.h"

namespace ipp::webhook {
namespace {

constexpr char kKey[] = "key";
constexpr char kMerchant[] = "DM00000001";

// Made once, since a fuzzer has no time for more; Forget() between the inputs.
class Intake {
 public:
  Intake() { Require(SetLogLevel("off").ok(), "the log is not off"); }

  Answer Take(Delivery delivery) {
    std::vector<Answer> answers;
    receiver_.Take(std::move(delivery),
                   [&answers](Answer answer) { answers.push_back(std::move(answer)); });
    store_.RunAll();
    Require(answers.size() == 1, "not one answer");
    Require(!absl::StrContains(answers[0].text, "hunter2"), "a value in the answer",
            answers[0].text);
    return answers[0];
  }
  bool HasNothing() const {
    return disk_->events.empty() && disk_->sessions.empty() && disk_->seen.empty();
  }
  std::vector<kustom::ipp::v1::SessionEvent> events() const { return store_.events(); }
  size_t sessions() const { return disk_->sessions.size(); }
  void Forget() { *disk_ = store::FakeDisk(); }
  Delivery Signed(absl::string_view body) {
    Delivery delivery{.id = "msg", .timestamp = now_, .signature = "", .body = std::string(body)};
    delivery.signature = Sign(kKey, delivery.id, delivery.timestamp, delivery.body);
    return delivery;
  }

 private:
  FakeClock clock_;
  const std::string now_ = absl::StrCat(absl::ToUnixSeconds(clock_.Now()));
  Metrics metrics_;
  const std::shared_ptr<store::FakeDisk> disk_ = std::make_shared<store::FakeDisk>();
  store::FakeStore store_{&clock_, store::FakeStore::Mode::kManual, disk_};
  sessions::SessionRecorder recorder_{&store_, &metrics_};
  Receiver receiver_{[] {
                       return MakeKeys({{kMerchant, kKey}});
                     },
                     absl::Minutes(5),
                     &recorder_,
                     NoOwner(),
                     &clock_,
                     &metrics_};
};

void CheckKept(Intake* intake, Delivery delivery) {
  const auto events = intake->events();
  // An event of an unknown type makes no session.
  Require(events.size() == 1 && intake->sessions() <= 1, "not one event of one session");
  const kustom::ipp::v1::SessionEvent& event = events[0];
  Require(event.merchant_id() == kMerchant, "an event of another merchant");
  Require(!event.event_id().empty() && !event.session_id().empty() &&
              !event.upstream_type().empty() && event.has_occurred_at(),
          "an event that lacks something", delivery.body);
  Require(event.source() == kustom::ipp::v1::SESSION_EVENT_SOURCE_WEBHOOK, "another source");
  const Answer again = intake->Take(std::move(delivery));
  Require(again.http_code == 200 && again.text == "known already", "not known again", again.text);
  Require(intake->events().size() == 1 && intake->sessions() <= 1, "kept twice");
}

// An event in which one optional member has that value is kept. The first byte chooses which.
void CheckMember(Intake* intake, absl::string_view bytes) {
  if (bytes.empty()) return;
  static const auto* const sample = [] {
    auto* event = new WebhookEvent;
    ipp::test::FillSample(event);
    event->set_merchant_id(kMerchant);
    event->set_type("ipp.session.created");
    return event;
  }();
  static constexpr const char* kMembers[] = {"id", "timestamp", "data", "session_id"};
  const auto* member = WebhookEvent::descriptor()->FindFieldByName(
      kMembers[static_cast<uint8_t>(bytes[0]) % std::size(kMembers)]);
  const absl::string_view value = bytes.substr(1);
  json::ReadOptions options;
  options.max_depth -= 1;  // one level is the event's own
  if (!json::VisitScalars(
           value, [](absl::Span<const json::Step>, absl::string_view) {}, options)
           .ok()) {
    return;
  }
  const Answer answer = intake->Take(intake->Signed(ipp::test::JsonWith(*sample, member, value)));
  Require(answer.http_code == 200 && answer.text == "accepted",
          "an optional member's value stops an event", value);
  Require(intake->events().size() == 1, "not kept", value);
  intake->Forget();
}

}  // namespace

void CheckWebhook(absl::string_view bytes) {
  static auto* const intake = new Intake;
  if (!bytes.empty() && bytes[0] == 'v') CheckMember(intake, bytes.substr(1));
  Delivery delivery = intake->Signed(bytes);
  if (bytes.size() % 8 == 0) {  // the rest is the signature's own target
    Delivery forged = delivery;
    forged.body += ' ';
    Require(intake->Take(std::move(forged)).http_code == 401, "a forged delivery is taken");
    Require(intake->HasNothing(), "something is kept of a forged delivery");
  }
  const Answer answer = intake->Take(delivery);
  if (answer.http_code == 200 && answer.text != "ignored") {
    CheckKept(intake, std::move(delivery));
    return intake->Forget();
  }
  Require(answer.http_code == 200 || answer.http_code == 400 || answer.http_code == 403,
          "no definite answer", absl::StrCat(answer.http_code));
  Require(intake->HasNothing(), "something is kept of what was refused", bytes);
}

}  // namespace ipp::webhook
