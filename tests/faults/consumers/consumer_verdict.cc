#include "tests/faults/consumers/consumer_verdict.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "kustom/ipp/v1/shared_subscription.pb.h"

namespace ipp::faults {
namespace {

namespace v1 = kustom::ipp::v1;

// Journals keep microseconds.
constexpr absl::Duration kRounding = absl::Microseconds(2);

bool Ends(const SettleRequest& request) { return request.action != "extend"; }

class Judge {
 public:
  Judge(const SharedTruth& truth, const ConsumerHistory& history)
      : truth_(truth), history_(history) {
    for (size_t i = 0; i < truth.log.size(); ++i) place_[truth.log[i].event_id] = i;
    for (const Delivery& delivery : history.deliveries) {
      by_event_[delivery.event_id].push_back(&delivery);
      by_session_[delivery.session_id].push_back(&delivery);
      by_lease_[delivery.lease] = &delivery;
    }
    for (auto* by : {&by_event_, &by_session_}) {
      for (auto& [key, deliveries] : *by) {
        std::stable_sort(
            deliveries.begin(), deliveries.end(),
            [this](const Delivery* a, const Delivery* b) { return GivenAt(*a) < GivenAt(*b); });
      }
    }
  }

  ConsumerVerdict Run() {
    verdict_.wrong = history_.complaints;
    verdict_.deliveries = static_cast<int>(history_.deliveries.size());
    for (const auto& [event_id, deliveries] : by_event_) JudgeEvent(event_id, deliveries);
    JudgeLog();
    for (const auto& [session_id, deliveries] : by_session_) JudgeSession(deliveries);
    for (const auto& [lease, requests] : history_.requests) JudgeLease(lease, requests);
    return std::move(verdict_);
  }

 private:
  absl::Time GivenAt(const Delivery& delivery) const { return delivery.expires_at - truth_.lease; }

  const std::vector<SettleRequest>& RequestsOf(const std::string& lease) const {
    static const std::vector<SettleRequest> none;
    const auto found = history_.requests.find(lease);
    return found == history_.requests.end() ? none : found->second;
  }

  void Wrong(const Delivery& delivery, const std::string& what) {
    const auto place = place_.find(delivery.event_id);
    verdict_.wrong.push_back(absl::StrCat(
        "session ", delivery.session_id, " event ", delivery.event_id, " (",
        place == place_.end() ? "not in the log" : absl::StrCat("number ", place->second),
        ") attempt ", delivery.attempt, delivery.redriven ? " redriven" : "", " at ",
        delivery.consumer, " from ", absl::FormatTime(GivenAt(delivery)), ": ", what));
  }

  // 4, 7.
  void JudgeEvent(const std::string& event_id, const std::vector<const Delivery*>& deliveries) {
    const Delivery* acknowledged = nullptr;
    bool doubt = false;
    for (const Delivery* delivery : deliveries) {
      if (delivery->attempt < 1 || delivery->attempt > truth_.max_attempts) {
        Wrong(*delivery, "an attempt beyond the limits");
      }
      if (acknowledged != nullptr) Wrong(*delivery, "delivered after it was acknowledged");
      verdict_.redriven += delivery->redriven ? 1 : 0;
      for (const SettleRequest& request : RequestsOf(delivery->lease)) {
        if (request.action != "acknowledge") continue;
        doubt = doubt || request.outcome == 0;
        if (request.outcome == v1::SETTLEMENT_OUTCOME_SETTLED ||
            request.outcome == v1::SETTLEMENT_OUTCOME_ALREADY_SETTLED) {
          acknowledged = delivery;
        }
      }
    }
    verdict_.redelivered += static_cast<int>(deliveries.size()) - 1;
    if (acknowledged != nullptr) {
      acknowledged_.insert(event_id);
    } else if (doubt) {
      in_doubt_.insert(event_id);
    }
  }

  // 1.
  void JudgeLog() {
    std::set<std::string> parked;
    for (const SharedTruth::ParkedEvent& event : truth_.parked) {
      parked.insert(event.event_id);
      if (event.attempts > truth_.max_attempts) {
        verdict_.wrong.push_back(
            absl::StrCat(event.event_id, " was parked after ", event.attempts, " attempts"));
      }
      if (acknowledged_.count(event.event_id) > 0) {
        verdict_.wrong.push_back(absl::StrCat(event.event_id, " is parked and acknowledged"));
      }
    }
    for (const SharedTruth::LogEvent& event : truth_.log) {
      if (acknowledged_.count(event.event_id) + parked.count(event.event_id) > 0) continue;
      if (in_doubt_.count(event.event_id) > 0) {
        ++verdict_.in_doubt;
        continue;
      }
      verdict_.wrong.push_back(absl::StrCat("session ", event.session_id, " event ", event.event_id,
                                            " was neither acknowledged nor parked"));
    }
    verdict_.acknowledged = static_cast<int>(acknowledged_.size());
    verdict_.parked = static_cast<int>(parked.size());
  }

  // When a lease was certainly over: as far as is known it may have been over before.
  absl::Time EndOf(const Delivery& delivery) const {
    absl::Time expires = delivery.expires_at;
    absl::Time settled = absl::InfiniteFuture();
    for (const SettleRequest& request : RequestsOf(delivery.lease)) {
      if (request.outcome == v1::SETTLEMENT_OUTCOME_EXTENDED) expires = request.expires_at;
      if (Ends(request) && request.outcome != v1::SETTLEMENT_OUTCOME_LEASE_LOST) {
        settled = std::min(settled, request.sent_at);
      }
    }
    return std::min(expires, settled);
  }

  // 2, 3.
  void JudgeSession(const std::vector<const Delivery*>& deliveries) {
    std::optional<size_t> furthest;
    for (size_t i = 0; i < deliveries.size(); ++i) {
      const Delivery& delivery = *deliveries[i];
      if (i > 0) {
        const absl::Time end = EndOf(*deliveries[i - 1]);
        if (GivenAt(delivery) + kRounding < end) {
          Wrong(delivery,
                absl::StrCat("given while ", deliveries[i - 1]->event_id, " was at ",
                             deliveries[i - 1]->consumer, " until ", absl::FormatTime(end)));
        }
      }
      const auto place = place_.find(delivery.event_id);
      if (place == place_.end() || delivery.redriven) continue;
      if (furthest && place->second < *furthest) Wrong(delivery, "out of order");
      furthest = std::max(furthest.value_or(0), place->second);
    }
  }

  // 5, 6.
  void JudgeLease(const std::string& lease, const std::vector<SettleRequest>& requests) {
    const auto found = by_lease_.find(lease);
    if (found == by_lease_.end()) {
      verdict_.wrong.push_back("a lease was settled that was not delivered: " + lease);
      return;
    }
    const Delivery& delivery = *found->second;
    absl::Time expires = delivery.expires_at;
    for (size_t i = 0; i < requests.size(); ++i) {
      const SettleRequest& request = requests[i];
      bool repeats = false, repeats_answered = false, given_up = false;
      for (size_t j = 0; j < i; ++j) {
        if (!Ends(requests[j])) continue;
        if (requests[j].action != request.action) {
          given_up = true;
          continue;
        }
        repeats = true;
        repeats_answered = repeats_answered || requests[j].outcome != 0;
        if (requests[j].outcome == v1::SETTLEMENT_OUTCOME_LEASE_LOST) given_up = true;
      }
      switch (request.outcome) {
        case 0:
          break;
        case v1::SETTLEMENT_OUTCOME_EXTENDED:
          if (request.action != "extend") Wrong(delivery, request.action + " was EXTENDED");
          if (given_up) Wrong(delivery, "extended after it was given up");
          expires = request.expires_at;
          break;
        case v1::SETTLEMENT_OUTCOME_SETTLED:
          if (request.action == "extend") Wrong(delivery, "an extension was SETTLED");
          if (repeats_answered) Wrong(delivery, "SETTLED twice by " + request.action);
          break;
        case v1::SETTLEMENT_OUTCOME_ALREADY_SETTLED:
          ++verdict_.already_settled;
          if (!repeats) Wrong(delivery, "ALREADY_SETTLED, the first time: " + request.action);
          break;
        case v1::SETTLEMENT_OUTCOME_LEASE_LOST:
          ++verdict_.lease_lost;
          if (given_up) break;
          if (repeats_answered) Wrong(delivery, "a repetition was LEASE_LOST: " + request.action);
          if (request.answered_at < expires) {
            Wrong(delivery, absl::StrCat(request.action, " was LEASE_LOST at ",
                                         absl::FormatTime(request.answered_at), ", before ",
                                         absl::FormatTime(expires)));
          }
          break;
        default:
          Wrong(delivery, absl::StrCat("outcome ", request.outcome));
      }
    }
  }

  const SharedTruth& truth_;
  const ConsumerHistory& history_;
  std::map<std::string, size_t> place_;
  std::map<std::string, std::vector<const Delivery*>> by_event_;
  std::map<std::string, std::vector<const Delivery*>> by_session_;
  std::map<std::string, const Delivery*> by_lease_;
  std::set<std::string> acknowledged_;
  std::set<std::string> in_doubt_;
  ConsumerVerdict verdict_;
};

}  // namespace

ConsumerVerdict JudgeConsumers(const SharedTruth& truth, const ConsumerHistory& history) {
  return Judge(truth, history).Run();
}

}  // namespace ipp::faults
