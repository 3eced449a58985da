#include "server/console/pages.h"

#include <algorithm>
#include <cstdlib>
#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "kustom/ipp/v1/outcome.pb.h"
#include "server/base/protobuf_time.h"
#include "server/base/stored_message.h"
#include "server/console/html.h"

namespace ipp::console {
namespace {

namespace v1 = kustom::ipp::v1;

std::string Time(absl::Time time) {
  if (time == absl::InfiniteFuture() || time == absl::InfinitePast()) return "";
  return absl::FormatTime("%Y-%m-%d %H:%M:%SZ", time, absl::UTCTimeZone());
}

// The name of an enum's value without its first `parts` words: the name of the enum.
std::string Word(std::string name, int parts) {
  for (; parts > 0; --parts) name.erase(0, name.find('_') + 1);
  return name;
}

// "FINALIZED" of SESSION_STATUS_FINALIZED.
std::string Status(v1::SessionStatus status) { return Word(v1::SessionStatus_Name(status), 2); }

std::string StateName(store::IntentState state) {
  return Word(v1::CreateState_Name(static_cast<v1::CreateState>(state)), 2);
}

std::string SessionLink(const std::string& merchant_id, const std::string& session_id) {
  if (session_id.empty()) return "";
  return Html()
      .Link("/console/session", {{"merchant", merchant_id}, {"id", session_id}}, session_id)
      .Take();
}

std::string References(const v1::Session& session) {
  std::vector<std::string> parts;
  for (const std::string& text : {session.merchant_reference1(), session.merchant_reference2()}) {
    // What the gateway itself wrote there to find the session again.
    if (!text.empty() && !absl::StartsWith(text, "ipp-gateway:")) parts.push_back(text);
  }
  return absl::StrJoin(parts, " · ");
}

std::string Amount(const v1::Session& session) {
  return session.purchase_currency().empty()
             ? ""
             : Money(session.order_amount(), session.purchase_currency());
}

void SearchForm(const std::string& asked, Html* html) {
  html->Raw("<section aria-labelledby=\"find\"><h2 id=\"find\">Find a session</h2>")
      .Raw("<form action=\"/console\" method=\"get\" role=\"search\"><div><label for=\"q\">")
      .Raw("Session, request, order, or the shop's reference</label>")
      .Raw("<input id=\"q\" name=\"q\" size=\"40\" value=\"")
      .Text(asked)
      .Raw("\"></div><button>Find</button></form></section>");
}

void Subscriptions(const Overview& overview, Html* html) {
  html->Raw("<section aria-labelledby=\"shared\"><h2 id=\"shared\">Shared subscriptions</h2>");
  if (overview.subscriptions.empty()) html->Raw("<p class=\"faint\">There are none.</p>");
  std::vector<std::vector<std::string>> rows;
  for (const SharedRow& row : overview.subscriptions) {
    const absl::Time oldest = std::min(row.counts.oldest, row.counts.unread_at);
    rows.push_back(
        {Cell(row.caller),
         Html()
             .Link("/console/subscription", {{"caller", row.caller}, {"name", row.name}}, row.name)
             .Take(),
         absl::StrCat(row.backlog), absl::StrCat(row.counts.out), absl::StrCat(row.counts.held),
         row.counts.parked == 0
             ? "0"
             : absl::StrCat("<span class=\"bad\">", row.counts.parked, "</span>"),
         Time(oldest)});
  }
  if (!rows.empty()) {
    html->Table("What each has to do",
                {"Caller", "Name", "Not looked at", "Out", "Held", "Parked", "Oldest"}, rows);
  }
  html->Raw("</section>");
}

void Creates(const Overview& overview, Html* html) {
  html->Raw("<section aria-labelledby=\"creates\"><h2 id=\"creates\">Creates</h2><p>")
      .Raw(absl::StrCat(overview.creates.under_way, " under way, "))
      .Raw(overview.creates.unknown == 0 ? "" : "<span class=\"bad\">")
      .Raw(absl::StrCat(overview.creates.unknown, " with an unknown outcome"))
      .Raw(overview.creates.unknown == 0 ? "" : "</span>")
      .Raw(".</p>");
  std::vector<std::vector<std::string>> rows;
  for (const store::IntentRecord& intent : overview.unknown) {
    rows.push_back({Cell(intent.merchant_id), Cell(intent.request_id), Cell(intent.rpc),
                    Cell(intent.caller), Time(intent.created_at), Time(intent.settle_by)});
  }
  if (!rows.empty()) {
    html->Table("The newest of which it is not known whether they were done",
                {"Merchant", "Request", "RPC", "Caller", "Created", "May turn up until"}, rows);
  }
  html->Raw("</section>");
}

const char* SourceName(v1::SessionEventSource source) {
  switch (source) {
    case v1::SESSION_EVENT_SOURCE_WEBHOOK:
      return "webhook";
    case v1::SESSION_EVENT_SOURCE_RECONCILIATION:
      return "found by reading";
    case v1::SESSION_EVENT_SOURCE_API:
      return "answer to a call";
    default:
      return "";
  }
}

// A step of a session's history, with its time for the order.
struct Step {
  absl::Time at;
  std::vector<std::string> cells;
};

std::vector<Step> StepsOf(const SessionHistory& history) {
  std::vector<Step> steps;
  if (history.create) {
    const store::IntentRecord& create = *history.create;
    steps.push_back({create.created_at,
                     {Time(create.created_at), "create",
                      Cell(absl::StrCat("asked for by ", create.caller, ", request ",
                                        create.request_id, ": ", StateName(create.state)))}});
  }
  for (const store::AskedCancel& cancel : history.cancels) {
    steps.push_back(
        {cancel.asked_at,
         {Time(cancel.asked_at), "cancel", Cell(absl::StrCat("asked for by ", cancel.caller))}});
  }
  for (const store::StoredEvent& row : history.events) {
    const auto event = FromStored<v1::SessionEvent>(row.payload);
    std::vector<std::string> said = {SourceName(event.source())};
    if (!event.order_id().empty()) said.push_back("order " + event.order_id());
    if (!event.failure_reason().empty()) said.push_back(event.failure_reason());
    steps.push_back({row.recorded_at,
                     {Time(FromTimestamp(event.occurred_at())),
                      Cell(Word(v1::SessionEventType_Name(event.type()), 3)),
                      Cell(absl::StrJoin(said, ", "))}});
  }
  std::stable_sort(steps.begin(), steps.end(),
                   [](const Step& a, const Step& b) { return a.at < b.at; });
  return steps;
}

std::vector<std::string> TotalCells(const std::string& device, const v1::DayTotal& total) {
  std::vector<std::string> ended;
  for (const v1::StatusCount& count : total.ended()) {
    ended.push_back(absl::StrCat(count.count(), " ", Status(count.status())));
  }
  return {Cell(device),
          Cell(total.currency().empty() ? "not known" : total.currency()),
          absl::StrCat(total.paid_count()),
          Cell(Money(total.paid_amount(), total.currency())),
          Cell(absl::StrJoin(ended, ", ")),
          absl::StrCat(total.open_count()),
          absl::StrCat(total.corrected_count()),
          absl::StrCat(total.webhook_lost_count())};
}

void DaySums(const v1::GetDayReportResponse& report, Html* html) {
  html->Raw("<section aria-labelledby=\"sums\"><h2 id=\"sums\">Sums</h2><p class=\"faint\">")
      .Text(absl::StrCat("From ", Time(FromTimestamp(report.starts_at())), " to ",
                         Time(FromTimestamp(report.ends_at())), ", as known at ",
                         Time(FromTimestamp(report.as_of())), "."))
      .Raw("</p>");
  if (report.partial()) {
    html->Raw("<p class=\"bad\">A part of this day is no longer kept: the sums are too small.</p>");
  }
  if (report.creates_unknown() > 0) {
    html->Raw(absl::StrCat("<p class=\"bad\">", report.creates_unknown(),
                           " creates of the day have an unknown outcome.</p>"));
  }
  std::vector<std::vector<std::string>> rows;
  for (const v1::DayTotal& total : report.totals()) rows.push_back(TotalCells("all", total));
  for (const v1::DeviceDayTotal& device : report.devices()) {
    for (const v1::DayTotal& total : device.totals()) {
      rows.push_back(
          TotalCells(device.device_id().empty() ? "not known" : device.device_id(), total));
    }
  }
  html->Table("By phone and currency",
              {"Phone", "Currency", "Paid", "Sum", "Ended", "Open", "Corrected", "Webhook lost"},
              rows);
  html->Raw("</section>");
}

}  // namespace

std::string Money(int64_t minor_units, const std::string& currency) {
  static constexpr absl::string_view kNone[] = {"BIF", "CLP", "DJF", "GNF", "ISK", "JPY",
                                                "KMF", "KRW", "PYG", "RWF", "UGX", "UYI",
                                                "VND", "VUV", "XAF", "XOF", "XPF"};
  static constexpr absl::string_view kThree[] = {"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"};
  const auto is_in = [&](const auto& list) {
    return std::find(std::begin(list), std::end(list), currency) != std::end(list);
  };
  if (is_in(kNone) || currency.empty()) return absl::StrCat(minor_units, " ", currency);
  const int digits = is_in(kThree) ? 3 : 2;
  const uint64_t unit = digits == 3 ? 1000 : 100;
  const uint64_t size =
      minor_units < 0 ? 0 - static_cast<uint64_t>(minor_units) : static_cast<uint64_t>(minor_units);
  return absl::StrFormat("%s%d.%0*d %s", minor_units < 0 ? "-" : "", size / unit, digits,
                         size % unit, currency);
}

std::string OverviewPage(const Overview& overview) {
  Html html;
  SearchForm("", &html);
  html.Raw("<section aria-labelledby=\"open\"><h2 id=\"open\">Open sessions</h2><p>")
      .Raw(absl::StrCat(overview.open.count, " open, ", overview.open.overdue, " overdue."));
  if (overview.open.oldest != absl::InfiniteFuture()) {
    html.Text(absl::StrCat(" The oldest was created at ", Time(overview.open.oldest), "."));
  }
  html.Raw("</p></section>");
  Creates(overview, &html);
  Subscriptions(overview, &html);
  return Page("Overview", html.Take());
}

std::string SearchPage(const std::string& asked, const std::vector<store::SessionRecord>& found) {
  Html html;
  SearchForm(asked, &html);
  html.Raw("<section aria-labelledby=\"found\"><h2 id=\"found\">Found</h2>");
  if (found.empty()) {
    html.Raw("<p>This gateway has seen no session of that id or reference.</p>");
  } else {
    std::vector<std::vector<std::string>> rows;
    for (const store::SessionRecord& record : found) {
      rows.push_back({SessionLink(record.merchant_id, record.session.session_id()),
                      Cell(Status(record.session.status())), Cell(Amount(record.session)),
                      Cell(References(record.session)), Cell(record.session.device_id()),
                      Time(record.created_at)});
    }
    html.Table("Sessions, the newest first",
               {"Session", "Status", "Amount", "References", "Phone", "Created"}, rows);
  }
  html.Raw("</section>");
  return Page("Search", html.Take());
}

std::string SessionPage(const SessionHistory& history) {
  const store::SessionRecord& record = history.record;
  const v1::Session& session = record.session;
  Html html;
  html.Raw("<section aria-labelledby=\"now\"><h2 id=\"now\">As known now</h2>");
  html.Table("The session", {"Field", "Value"},
             {{"Session", Cell(session.session_id())},
              {"Merchant", Cell(record.merchant_id)},
              {"Status", Cell(Status(session.status()))},
              {"Order", Cell(session.order_id())},
              {"Amount", Cell(Amount(session))},
              {"References", Cell(References(session))},
              {"Phone", Cell(session.device_id())},
              {"Request", Cell(record.request_id)},
              {"Last news", Time(record.updated_at)}});
  html.Raw("</section><section aria-labelledby=\"steps\"><h2 id=\"steps\">What happened</h2>");
  std::vector<std::vector<std::string>> rows;
  for (Step& step : StepsOf(history)) rows.push_back(std::move(step.cells));
  html.Table("In order", {"When", "Step", "How it is known"}, rows);
  html.Raw("</section>");
  return Page("Session", html.Take());
}

std::string DayPage(const DayAsked& asked, const v1::GetDayReportResponse* report) {
  Html html;
  html.Raw("<section aria-labelledby=\"day\"><h2 id=\"day\">Which day</h2>")
      .Raw("<form action=\"/console/day\" method=\"get\"><div><label for=\"merchant\">Merchant")
      .Raw("</label><select id=\"merchant\" name=\"merchant\">");
  for (const std::string& merchant : asked.merchants) {
    html.Raw(merchant == asked.merchant ? "<option selected>" : "<option>")
        .Text(merchant)
        .Raw("</option>");
  }
  html.Raw("</select></div><div><label for=\"date\">Day</label>")
      .Raw("<input id=\"date\" name=\"day\" type=\"date\" required value=\"")
      .Text(asked.day)
      .Raw("\"></div><div><label for=\"zone\">Time zone</label>")
      .Raw("<input id=\"zone\" name=\"tz\" required value=\"")
      .Text(asked.time_zone)
      .Raw("\"></div><button>Add up</button></form></section>");
  if (report != nullptr) DaySums(*report, &html);
  return Page("Day report", html.Take());
}

std::string SubscriptionPage(const ParkedPageOf& of) {
  Html html;
  html.Raw("<section aria-labelledby=\"parked\"><h2 id=\"parked\">Parked events of ")
      .Text(absl::StrCat(of.name, " (", of.caller, ")"))
      .Raw("</h2>");
  if (of.parked.empty()) html.Raw("<p>None is parked.</p>");
  std::vector<std::vector<std::string>> rows;
  for (const store::SharedParked& parked : of.parked) {
    rows.push_back({Time(parked.parked_at), Cell(parked.event_id),
                    SessionLink(parked.event.merchant_id, parked.event.session_id),
                    absl::StrCat(parked.attempts), Cell(parked.reason), Cell(parked.consumer)});
  }
  if (!rows.empty()) {
    html.Table("Given up, oldest first",
               {"Parked", "Event", "Session", "Attempts", "Reason", "Pod"}, rows);
  }
  if (of.more) html.Raw("<p>There are more: <code>ippctl subscriptions parked</code>.</p>");
  html.Raw("</section>");
  return Page("Shared subscription", html.Take());
}

std::string ErrorPage(const std::string& what) {
  return Page("Not answered",
              Html().Raw("<section><p class=\"bad\">").Text(what).Raw("</p></section>").Take());
}

}  // namespace ipp::console
