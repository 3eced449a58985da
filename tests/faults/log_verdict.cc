#include "tests/faults/log_verdict.h"

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "tests/faults/steps.h"
#include "tests/faults/verdict.h"

namespace ipp::faults {
namespace {

namespace v1 = kustom::ipp::v1;
using Events = std::vector<const v1::SessionEvent*>;

// The log, one session after the other.
class LogJudge {
 public:
  LogJudge(const Truth& truth, const Ledger& ledger, const Observation& reference, Verdict* out)
      : truth_(truth), ledger_(ledger), out_(*out) {
    for (const SentWebhook& webhook : truth.webhooks) webhooks_.emplace(webhook.event_id, &webhook);
    for (const CreateCall& create : ledger.creates) {
      if (!create.session_id.empty() && create.recorded)
        creates_.emplace(create.session_id, &create);
      if (!create.denied) sent_.insert(create.reference);
    }
    for (const SeenEventPtr& seen : reference.events) {
      const v1::SessionEvent& event = seen->event;
      by_session_[event.session_id()].push_back(&event);
      if (!ids_.insert(event.event_id()).second) Wrong(event, "its id was there before");
      if (!cursors_.insert(event.cursor()).second) Wrong(event, "its cursor was there before");
    }
  }

  void Run() {
    for (const auto& [id, events] : by_session_) {
      const auto found = truth_.sessions.find(id);
      if (found == truth_.sessions.end()) {
        Wrong(*events.front(), "there is no such session");
      } else {
        JudgeSession(id, found->second, events);
      }
    }
    for (const auto& [id, session] : truth_.sessions) JudgeEnd(id, session);
    for (const SentWebhook& webhook : truth_.webhooks) JudgeWebhook(webhook);
  }

 private:
  void Wrong(const v1::SessionEvent& event, const std::string& why) {
    out_.wrong.push_back(absl::StrCat(Describe(event), ": ", why));
  }

  void JudgeSession(const std::string& id, const TrueSession& session, const Events& events) {
    std::set<v1::SessionEventType> told;
    const v1::SessionEvent* before = nullptr;  // the one that went furthest
    int declines = 0;
    for (const v1::SessionEvent* event : events) {
      if (event->type() == v1::SESSION_EVENT_TYPE_DETAILS) {
        JudgeDetails(id, session, *event);
        continue;
      }
      const int rank = RankOf(event->type());
      const int reached = before == nullptr ? 0 : RankOf(before->type());
      if (rank == 0 && event->type() != v1::SESSION_EVENT_TYPE_PAYMENT_FAILED) {
        Wrong(*event, "nothing of the kind happened");
      } else if (rank == 0 && ++declines > session.declines) {
        Wrong(*event, "not so many payments failed");
      }
      if (rank > 0 && !told.insert(event->type()).second) Wrong(*event, "told before");
      if (reached == 3) {
        Wrong(*event, IsTerminal(event->type())
                          ? absl::StrCat("a second terminal event, after ", Describe(*before))
                          : absl::StrCat("after the end, ", Describe(*before)));
      } else if (rank > 0 && rank < reached) {
        Wrong(*event, absl::StrCat("a step back after ", Describe(*before)));
      }
      if (rank >= reached && rank > 0) before = event;
      JudgeTruth(session, *event);
      JudgeSource(id, *event);
      JudgeContent(id, session, *event);
    }
  }

  // No step; it may come at any time. It must be true and whole.
  void JudgeTruth(const TrueSession& session, const v1::SessionEvent& event) {
    if (event.merchant_id() != session.merchant_id) Wrong(event, "another merchant's session");
    if (event.type() == v1::SESSION_EVENT_TYPE_ACTIVATED && !session.activated) {
      Wrong(event, "it never was active");
    }
    if (IsTerminal(event.type()) && StatusAfter(event.type()) != session.status) {
      Wrong(event, absl::StrCat("true is ", Name(session.status)));
    }
  }

  // The end of a session that no webhook announced is found by reading, or came with an answer to
  // somebody who asked.
  void JudgeSource(const std::string& id, const v1::SessionEvent& event) {
    const auto sent = webhooks_.find(event.event_id());
    if (event.source() == v1::SESSION_EVENT_SOURCE_WEBHOOK) {
      if (sent == webhooks_.end() || sent->second->session_id != id ||
          sent->second->type != event.type()) {
        Wrong(event, "the upstream sent no such webhook");
      }
      return;
    }
    if (sent != webhooks_.end()) Wrong(event, "it has a webhook's id");
    const bool created = event.type() == v1::SESSION_EVENT_TYPE_CREATED;
    // A create whose answer was cut may have been written down all the same.
    const bool made_here = created && sent_.count(truth_.sessions.at(id).reference) > 0;
    const bool asked = made_here || ledger_.asked.count(id) > 0;
    if (event.source() == v1::SESSION_EVENT_SOURCE_API && !asked) {
      Wrong(event, "nobody asked for it");
    }
    if (event.source() == v1::SESSION_EVENT_SOURCE_UNSPECIFIED) Wrong(event, "it has no source");
  }

  void JudgeContent(const std::string& id, const TrueSession& session,
                    const v1::SessionEvent& event) {
    const v1::SessionStatus after = StatusAfter(event.type());
    const v1::Session& shown = event.session();
    if (shown.session_id() != id) Wrong(event, "it shows another session");
    if (after != v1::SESSION_STATUS_UNSPECIFIED && shown.status() != after) {
      Wrong(event, absl::StrCat("it shows the session as ", Name(shown.status())));
    }
    const bool paid = event.type() == v1::SESSION_EVENT_TYPE_FINALIZED;
    if (paid && event.order_id().empty()) {
      JudgeLateOrder(id, session, event);
    } else if (event.order_id() != (paid ? session.order_id : "")) {
      Wrong(event, absl::StrCat("its order is '", event.order_id(), "', true is '",
                                session.order_id, "'"));
    }
    // The end was brought about by somebody who had the create's answer, so it comes after it.
    const auto create = creates_.find(id);
    if (create == creates_.end() || !IsTerminal(event.type())) return;
    if (event.request_id() != create->second->request_id) {
      Wrong(event, absl::StrCat("its request is '", event.request_id(), "', not ",
                                create->second->request_id));
    }
    if (shown.device_id().empty() || shown.merchant_reference1() != session.reference) {
      Wrong(event, "it does not show the whole session");
    }
  }

  // A webhook may leave the order out; then an event of its own tells of it.
  void JudgeLateOrder(const std::string& id, const TrueSession& session,
                      const v1::SessionEvent& event) {
    for (const v1::SessionEvent* other : by_session_.at(id)) {
      if (IsDetails(other->type()) && other->order_id() == session.order_id) return;
    }
    out_.missing.push_back(absl::StrCat(Describe(event), ": no event tells its order, true is '",
                                        session.order_id, "'"));
  }

  // May come at any time, also after the end, and more than once; never empty-handed.
  void JudgeDetails(const std::string& id, const TrueSession& session,
                    const v1::SessionEvent& event) {
    if (event.merchant_id() != session.merchant_id) Wrong(event, "another merchant's session");
    if (webhooks_.count(event.event_id()) > 0) Wrong(event, "it has a webhook's id");
    if (event.source() == v1::SESSION_EVENT_SOURCE_UNSPECIFIED) Wrong(event, "it has no source");
    const v1::Session& shown = event.session();
    if (IsFinal(shown.status()) && shown.status() != session.status) {
      Wrong(event, absl::StrCat("it shows the session as ", Name(shown.status())));
    }
    if (shown.session_id() != id || shown.device_id().empty() ||
        shown.merchant_reference1() != session.reference) {
      Wrong(event, "it does not show the whole session");
    }
    if (!event.order_id().empty() && event.order_id() != session.order_id) {
      Wrong(event, absl::StrCat("its order is '", event.order_id(), "'"));
    }
    const auto create = creates_.find(id);
    if (create != creates_.end() && event.request_id() != create->second->request_id) {
      Wrong(event, absl::StrCat("its request is '", event.request_id(), "'"));
    }
  }

  void JudgeEnd(const std::string& id, const TrueSession& session) {
    if (!IsFinal(session.status) || ledger_.acknowledged.count(id) == 0) return;
    const auto found = by_session_.find(id);
    if (found != by_session_.end()) {
      for (const v1::SessionEvent* event : found->second) {
        if (IsTerminal(event->type())) return;
      }
    }
    out_.missing.push_back(
        absl::StrCat("session ", id, " has no terminal event, true is ", Name(session.status)));
  }

  // A webhook that the gateway took has its event, unless its step had been announced or passed
  // when it came.
  void JudgeWebhook(const SentWebhook& webhook) {
    if (!webhook.taken || ids_.count(webhook.event_id) > 0) return;
    const auto found = by_session_.find(webhook.session_id);
    if (found != by_session_.end()) {
      for (const v1::SessionEvent* event : found->second) {
        if (MayHaveForestalled(*event, webhook)) return;
      }
    }
    out_.missing.push_back(absl::StrCat("webhook ", webhook.event_id, " (", Name(webhook.type),
                                        " of session ", webhook.session_id,
                                        ") was answered 200 and is not in the log"));
  }

  // The event made the webhook no news, and may have come before it.
  bool MayHaveForestalled(const v1::SessionEvent& event, const SentWebhook& webhook) const {
    // A failed payment is no news after the end only; it says itself that the session was made.
    const auto attempt = v1::SESSION_EVENT_TYPE_PAYMENT_FAILED;
    const int told = event.type() == attempt ? 1 : RankOf(event.type());
    if (told < (webhook.type == attempt ? 3 : RankOf(webhook.type))) return false;
    const auto sent = webhooks_.find(event.event_id());
    const bool later = sent != webhooks_.end() && sent->second->in_order && webhook.in_order &&
                       sent->second > &webhook;
    return !later;
  }

  const Truth& truth_;
  const Ledger& ledger_;
  Verdict& out_;
  std::map<std::string, const SentWebhook*> webhooks_;  // by event id
  std::map<std::string, const CreateCall*> creates_;    // answered OK, by session
  std::set<std::string> sent_;                          // references of creates not denied
  std::map<std::string, Events> by_session_;
  std::set<std::string> ids_;
  std::set<std::string> cursors_;
};

}  // namespace

std::string Describe(const v1::SessionEvent& event) {
  return absl::StrCat(
      Name(event.type()), " of session ", event.session_id(), " by ",
      absl::StripPrefix(v1::SessionEventSource_Name(event.source()), "SESSION_EVENT_SOURCE_"), " (",
      event.event_id(), ")");
}

std::set<std::string> KnownSessions(const History& history) {
  std::set<std::string> known = history.ledger.acknowledged;
  for (const SentWebhook& webhook : history.truth.webhooks) {
    if (webhook.taken) known.insert(webhook.session_id);
  }
  for (const Observation& observer : history.observers) {
    for (const SeenEventPtr& seen : observer.events) known.insert(seen->event.session_id());
  }
  return known;
}

void JudgeLog(const Truth& truth, const Ledger& ledger, const Observation& reference,
              Verdict* out) {
  LogJudge(truth, ledger, reference, out).Run();
}

}  // namespace ipp::faults
