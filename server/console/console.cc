#include "server/console/console.h"

#include <algorithm>
#include <any>
#include <functional>
#include <memory>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "server/console/html.h"
#include "server/console/pages.h"
#include "server/reports/day.h"
#include "server/reports/day_reader.h"

namespace ipp::console {
namespace {

namespace v1 = kustom::ipp::v1;
using store::SessionRecord;

constexpr int kListed = 20;   // unknown creates, parked events
constexpr int kFound = 50;    // sessions of a search, along each index
constexpr int kEvents = 500;  // of a session

void Answer(web::WebReply reply, std::string body, int code = 200) {
  web::WebResponse response;
  response.code = code;
  response.content_type = "text/html; charset=utf-8";
  response.body = std::move(body);
  // No script, nothing from elsewhere, in no frame, kept by no cache.
  response.headers = {{"Content-Security-Policy",
                       "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
                       "base-uri 'none'; frame-ancestors 'none'"},
                      {"Referrer-Policy", "no-referrer"},
                      {"X-Content-Type-Options", "nosniff"},
                      {"Cache-Control", "no-store"}};
  std::move(reply)(std::move(response));
}

void Refuse(web::WebReply reply) {
  Answer(std::move(reply), ErrorPage("The gateway's store cannot answer now."), 503);
}

// One request: what has been read so far. Each step reads one thing and goes on with the next.
struct Request {
  Request(store::Store* store_in, const ConsoleOptions& options_in, web::WebRequest request,
          web::WebReply reply_in)
      : store(store_in),
        options(options_in),
        target(std::move(request.target)),
        reply(std::move(reply_in)) {}

  std::string parameter(const char* name) const {
    return std::string(absl::StripAsciiWhitespace(ParameterOf(target, name)));
  }

  store::Store* const store;
  const ConsoleOptions options;
  const std::string target;
  web::WebReply reply;
};

// ---- Overview. ----

struct OverviewRequest : Request {
  using Request::Request;
  Overview overview;
};
using OverviewPtr = std::shared_ptr<OverviewRequest>;

void ReadSubscriptions(const OverviewPtr& r) {
  const absl::Time now = r->store->Now();
  const int64_t latest = r->store->bounds().latest;
  r->store->ReadShared(
      [now, latest](store::SharedReads& reads) -> absl::StatusOr<std::any> {
        const absl::StatusOr<std::vector<store::SharedRecord>> records = reads.List(nullptr);
        if (!records.ok()) return records.status();
        std::vector<SharedRow> rows;
        for (const store::SharedRecord& record : *records) {
          const auto counts = reads.Count(record.id, now);
          if (!counts.ok()) return counts.status();
          if (!*counts) continue;
          rows.push_back({record.caller, record.name, **counts,
                          std::max<int64_t>(0, latest - (*counts)->read_position)});
        }
        return std::any(std::move(rows));
      },
      [r](absl::StatusOr<std::any> rows) {
        if (!rows.ok()) return Refuse(std::move(r->reply));
        r->overview.subscriptions = std::any_cast<std::vector<SharedRow>&>(*rows);
        Answer(std::move(r->reply), OverviewPage(r->overview));
      });
}

void ReadUnknown(const OverviewPtr& r) {
  r->store->ListIntents({.merchant_ids = r->options.merchants,
                         .states = {store::IntentState::kUnknown},
                         .limit = kListed},
                        [r](absl::StatusOr<std::vector<store::IntentRecord>> unknown) {
                          if (!unknown.ok()) return Refuse(std::move(r->reply));
                          r->overview.unknown = *std::move(unknown);
                          ReadSubscriptions(r);
                        });
}

void ShowOverview(const OverviewPtr& r) {
  r->overview.now = r->store->Now();
  r->store->CountOpen(r->overview.now - r->options.overdue,
                      [r](absl::StatusOr<store::OpenSessions> open) {
                        if (!open.ok()) return Refuse(std::move(r->reply));
                        r->overview.open = *open;
                        r->store->CountIntents([r](absl::StatusOr<store::IntentCounts> creates) {
                          if (!creates.ok()) return Refuse(std::move(r->reply));
                          r->overview.creates = *creates;
                          ReadUnknown(r);
                        });
                      });
}

// ---- Search. ----

struct SearchRequest : Request {
  using Request::Request;
  std::string asked;
  std::vector<store::SessionQuery> queries;  // still to be asked
  std::vector<std::string> merchants;        // in which the session is still to be looked for
  std::vector<SessionRecord> found;
};
using SearchPtr = std::shared_ptr<SearchRequest>;

void FinishSearch(const SearchPtr& r) {
  std::stable_sort(
      r->found.begin(), r->found.end(),
      [](const SessionRecord& a, const SessionRecord& b) { return a.created_at > b.created_at; });
  std::set<std::pair<std::string, std::string>> seen;
  std::erase_if(r->found, [&seen](const SessionRecord& record) {
    return !seen.emplace(record.merchant_id, record.session.session_id()).second;
  });
  Answer(std::move(r->reply), SearchPage(r->asked, r->found));
}

// The next merchant's session of that id, then the next index.
void SearchOn(const SearchPtr& r) {
  if (!r->merchants.empty()) {
    const std::string merchant = r->merchants.back();
    r->merchants.pop_back();
    return r->store->FindSession(merchant, absl::AsciiStrToLower(r->asked),
                                 [r](absl::StatusOr<SessionRecord> record) {
                                   if (record.ok()) {
                                     r->found.push_back(*std::move(record));
                                   } else if (!absl::IsNotFound(record.status())) {
                                     return Refuse(std::move(r->reply));
                                   }
                                   SearchOn(r);
                                 });
  }
  if (r->queries.empty()) return FinishSearch(r);
  store::SessionQuery query = std::move(r->queries.back());
  r->queries.pop_back();
  r->store->SearchSessions(std::move(query), [r](absl::StatusOr<store::SessionPage> page) {
    if (!page.ok()) return Refuse(std::move(r->reply));
    for (SessionRecord& record : page->sessions) r->found.push_back(std::move(record));
    SearchOn(r);
  });
}

void Search(const SearchPtr& r) {
  r->merchants = r->options.merchants;
  const store::SessionQuery any = {.merchant_ids = r->options.merchants, .limit = kFound};
  for (const auto field :
       {&store::SessionQuery::merchant_reference1, &store::SessionQuery::merchant_reference2,
        &store::SessionQuery::order_id, &store::SessionQuery::request_id}) {
    store::SessionQuery query = any;
    query.*field =
        field == &store::SessionQuery::request_id ? absl::AsciiStrToLower(r->asked) : r->asked;
    r->queries.push_back(std::move(query));
  }
  SearchOn(r);
}

// ---- One session. ----

struct SessionRequest : Request {
  using Request::Request;
  SessionHistory history;
};
using SessionPtr = std::shared_ptr<SessionRequest>;

void ReadCancels(const SessionPtr& r) {
  const SessionRecord& record = r->history.record;
  r->store->ListCancels(record.merchant_id, record.session.session_id(), kListed,
                        [r](absl::StatusOr<std::vector<store::AskedCancel>> cancels) {
                          if (!cancels.ok()) return Refuse(std::move(r->reply));
                          r->history.cancels = *std::move(cancels);
                          Answer(std::move(r->reply), SessionPage(r->history));
                        });
}

void ReadCreate(const SessionPtr& r) {
  const SessionRecord& record = r->history.record;
  if (record.request_id.empty()) return ReadCancels(r);
  r->store->FindIntent(record.merchant_id, record.request_id,
                       [r](absl::StatusOr<store::IntentRecord> create) {
                         if (create.ok()) {
                           r->history.create = *std::move(create);
                         } else if (!absl::IsNotFound(create.status())) {
                           return Refuse(std::move(r->reply));
                         }
                         ReadCancels(r);
                       });
}

void ShowSession(const SessionPtr& r) {
  const std::string merchant = r->parameter("merchant");
  const std::string id = absl::AsciiStrToLower(r->parameter("id"));
  r->store->FindSession(merchant, id, [r, merchant, id](absl::StatusOr<SessionRecord> record) {
    if (absl::IsNotFound(record.status())) {
      return Answer(std::move(r->reply), ErrorPage("This gateway has not seen that session."), 404);
    }
    if (!record.ok()) return Refuse(std::move(r->reply));
    r->history.record = *std::move(record);
    r->store->ReadSessionEvents(merchant, id, 0, kEvents,
                                [r](absl::StatusOr<std::vector<store::StoredEvent>> events) {
                                  if (!events.ok()) return Refuse(std::move(r->reply));
                                  r->history.events = *std::move(events);
                                  ReadCreate(r);
                                });
  });
}

// ---- The day. ----

struct DayRequest : Request {
  using Request::Request;
  DayAsked asked;
  v1::GetDayReportResponse report;
};
using DayPtr = std::shared_ptr<DayRequest>;

void ShowDay(const DayPtr& r) {
  DayAsked& asked = r->asked;
  asked.merchants = r->options.merchants;
  asked.merchant = r->parameter("merchant");
  asked.day = r->parameter("day");
  asked.time_zone = r->parameter("tz");
  if (asked.day.empty()) {
    asked.time_zone = "UTC";
    asked.day = absl::FormatTime("%Y-%m-%d", r->store->Now(), absl::UTCTimeZone());
    return Answer(std::move(r->reply), DayPage(asked, nullptr));
  }
  const bool known = std::count(asked.merchants.begin(), asked.merchants.end(), asked.merchant) > 0;
  const absl::StatusOr<reports::Day> day = reports::DayOf(asked.day, asked.time_zone);
  if (!known || !day.ok()) {
    return Answer(std::move(r->reply),
                  ErrorPage("There is no such merchant, day or time zone. A time zone is an IANA "
                            "name, for example Europe/Stockholm."),
                  400);
  }
  r->report.set_merchant_id(asked.merchant);
  reports::ReadDay(r->store, {.merchant_id = asked.merchant, .day = *day}, &r->report,
                   [r](const absl::Status& read) {
                     if (absl::IsOutOfRange(read) || absl::IsResourceExhausted(read)) {
                       return Answer(std::move(r->reply), ErrorPage(std::string(read.message())),
                                     400);
                     }
                     if (!read.ok()) return Refuse(std::move(r->reply));
                     Answer(std::move(r->reply), DayPage(r->asked, &r->report));
                   });
}

// ---- A subscription. ----

void ShowSubscription(const std::shared_ptr<Request>& r) {
  const std::string caller = r->parameter("caller");
  const std::string name = r->parameter("name");
  r->store->ReadShared(
      [caller, name](store::SharedReads& reads) -> absl::StatusOr<std::any> {
        const absl::StatusOr<std::vector<store::SharedRecord>> records = reads.List(&caller);
        if (!records.ok()) return records.status();
        for (const store::SharedRecord& record : *records) {
          if (record.name != name) continue;
          absl::StatusOr<std::vector<store::SharedParked>> parked =
              reads.ListParked(record.id, 0, kListed + 1);
          if (!parked.ok()) return parked.status();
          ParkedPageOf page{caller, name, *std::move(parked), false};
          page.more = page.parked.size() > kListed;
          if (page.more) page.parked.pop_back();
          return std::any(std::move(page));
        }
        return absl::NotFoundError("no such subscription");
      },
      [r](absl::StatusOr<std::any> page) {
        if (absl::IsNotFound(page.status())) {
          return Answer(std::move(r->reply), ErrorPage("There is no such subscription."), 404);
        }
        if (!page.ok()) return Refuse(std::move(r->reply));
        Answer(std::move(r->reply), SubscriptionPage(std::any_cast<const ParkedPageOf&>(*page)));
      });
}

}  // namespace

std::vector<web::Router::Route> Routes(store::Store* store, ConsoleOptions options) {
  const auto shared = std::make_shared<const ConsoleOptions>(std::move(options));
  const auto handler = [store, shared](auto show) -> web::WebHandler {
    return [store, shared, show](web::WebRequest request, web::WebReply reply) {
      show(store, *shared, std::move(request), std::move(reply));
    };
  };
  return {
      {"GET", "/console", handler([](auto* s, const auto& o, auto request, auto reply) {
         auto r = std::make_shared<SearchRequest>(s, o, request, std::move(reply));
         r->asked = r->parameter("q");
         if (!r->asked.empty()) return Search(r);
         ShowOverview(std::make_shared<OverviewRequest>(s, o, request, std::move(r->reply)));
       })},
      {"GET", "/console/session", handler([](auto* s, const auto& o, auto request, auto reply) {
         ShowSession(std::make_shared<SessionRequest>(s, o, request, std::move(reply)));
       })},
      {"GET", "/console/day", handler([](auto* s, const auto& o, auto request, auto reply) {
         ShowDay(std::make_shared<DayRequest>(s, o, request, std::move(reply)));
       })},
      {"GET", "/console/subscription",
       handler([](auto* s, const auto& o, auto request, auto reply) {
         ShowSubscription(std::make_shared<Request>(s, o, request, std::move(reply)));
       })},
  };
}

}  // namespace ipp::console
