#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/ippctl/fields.h"
#include "client/ippctl/history_commands.h"
#include "client/ippctl/paging.h"
#include "client/ippctl/render.h"
#include "client/ippctl/table.h"
#include "client/ippctl/text.h"
#include "kustom/ipp/v1/session_history.grpc.pb.h"

// What the gateway has seen of sessions: `sessions list`, `sessions explain`.
namespace ipp::ippctl {
namespace {

namespace v1 = ::kustom::ipp::v1;
using Service = v1::SessionHistoryService;

void SetTime(const FlagValues& flags, const std::string& name, google::protobuf::Timestamp* time) {
  const absl::Time at = flags.Time(name);
  const int64_t seconds = absl::ToUnixSeconds(at);
  time->set_seconds(seconds);
  time->set_nanos(
      static_cast<int32_t>(absl::ToInt64Nanoseconds(at - absl::FromUnixSeconds(seconds))));
}

v1::ListSessionsRequest Wanted(const FlagValues& flags) {
  v1::ListSessionsRequest request;
  for (const std::string& id : flags.All("only-merchant")) request.add_merchant_ids(id);
  for (const std::string& status : flags.All("status")) {
    request.add_statuses(
        static_cast<v1::SessionStatus>(EnumNumber(v1::SessionStatus_descriptor(), status)));
  }
  request.set_device_id(flags.Text("device"));
  request.set_location_id(flags.Text("location"));
  request.set_merchant_reference1(flags.Text("reference"));
  request.set_merchant_reference2(flags.Text("reference2"));
  request.set_order_id(flags.Text("order"));
  request.set_request_id(flags.Text("request-id"));
  if (flags.Has("from")) SetTime(flags, "from", request.mutable_created_from());
  if (flags.Has("before")) SetTime(flags, "before", request.mutable_created_before());
  if (flags.Has("updated-from")) SetTime(flags, "updated-from", request.mutable_updated_from());
  if (flags.Has("updated-before")) {
    SetTime(flags, "updated-before", request.mutable_updated_before());
  }
  return request;
}

std::string Amount(const v1::Session& session) {
  if (session.purchase_currency().empty()) return "";
  return FormatMoney(session.order_amount(), session.purchase_currency());
}

int List(Invocation& invocation) {
  v1::ListSessionsResponse all;
  const grpc::Status status = ListAll<Service>(invocation, &Service::Stub::ListSessions,
                                               &v1::ListSessionsResponse::mutable_sessions,
                                               Wanted(invocation.flags()), &all);
  if (!status.ok()) return invocation.Fail(status);
  const int code = invocation.ShowList(all);
  if (all.indexing()) {
    invocation.Note(
        "the gateway still indexes sessions of an earlier release: some may be missing");
  }
  return code;
}

std::vector<Column> SessionColumns() {
  using Row = v1::KnownSession;
  return {
      ColumnOf<Row>(
          "CREATED",
          [](const Row& row, const Look& look) { return TableTime(row.created_at(), look); },
          {.drop = 1}),
      ColumnOf<Row>("SESSION", [](const Row& row) { return row.session().session_id(); },
                    {.id = true}),
      ColumnOf<Row>("STATUS", [](const Row& row) { return StatusText(row.session()); },
                    {.painted = true}),
      ColumnOf<Row>("AMOUNT", [](const Row& row) { return Amount(row.session()); }),
      ColumnOf<Row>("REFERENCE", [](const Row& row) { return row.session().merchant_reference1(); },
                    {.shrinks = true, .drop = 1}),
      ColumnOf<Row>("DEVICE", [](const Row& row) { return row.session().device_id(); },
                    {.drop = 2}),
      ColumnOf<Row>("ORDER", [](const Row& row) { return row.session().order_id(); }, {.drop = 3}),
      ColumnOf<Row>("MERCHANT", [](const Row& row) { return row.merchant_id(); }, {.wide = true}),
      ColumnOf<Row>("REQUEST", [](const Row& row) { return row.request_id(); }, {.wide = true}),
  };
}

std::string Outcome(const v1::CreateOutcome& create) {
  std::string text = EnumText(v1::CreateState_descriptor(), create.state());
  if (!create.reason().empty()) absl::StrAppend(&text, ": ", create.reason());
  return text;
}

void AddEntry(const v1::SessionHistoryEntry& entry, const Look& look, Table* table) {
  const std::string at = TableTime(entry.at(), look);
  switch (entry.entry_case()) {
    case v1::SessionHistoryEntry::kCreateAsked:
      return table->Add({at, "create asked for", "by " + entry.create_asked().caller(),
                         "request " + entry.create_asked().request_id()});
    case v1::SessionHistoryEntry::kCreateEnded:
      return table->Add(
          {at, "create ended", Outcome(entry.create_ended()), entry.create_ended().message()});
    case v1::SessionHistoryEntry::kCancelAsked:
      return table->Add({at, "cancel asked for", "by " + entry.cancel_asked().caller(), ""});
    case v1::SessionHistoryEntry::kEvent: {
      const v1::SessionEvent& event = entry.event();
      const std::string source = EnumText(v1::SessionEventSource_descriptor(), event.source());
      std::string details = event.failure_reason();
      if (!event.order_id().empty()) details = "order " + event.order_id();
      if (event.type() == v1::SESSION_EVENT_TYPE_CORRECTED) {
        details = "now " + StatusText(event.session());
      }
      return table->Add(
          {at, EnumText(v1::SessionEventType_descriptor(), event.type()), "by " + source, details});
    }
    case v1::SessionHistoryEntry::ENTRY_NOT_SET:
      return table->Add({at, "?", "", "an entry that this ippctl does not know"});
  }
}

std::string TextOf(const v1::GetSessionHistoryResponse& history, bool wide, const Look& look) {
  Properties properties;
  const v1::KnownSession& known = history.session();
  const v1::Session& session = known.session();
  properties.Add("Session", session.session_id());
  if (history.has_session()) properties.Add("Status", StatusText(session));
  properties.Add("Amount", Amount(session));
  properties.Add("Order", session.order_id());
  properties.Add("Reference", session.merchant_reference1());
  properties.Add("Reference 2", session.merchant_reference2());
  properties.Add("Device", session.device_id());
  properties.Add("Location", known.location_id());
  properties.Add("Merchant",
                 history.has_session() ? known.merchant_id() : history.create().merchant_id());
  if (history.has_create()) {
    properties.Add("Create", Outcome(history.create()));
    properties.Add("Request id", history.create().request_id());
  }
  properties.Add("Not found upstream since", FormatTimestamp(known.missing_since(), look.zone));
  const auto table_in = [&](const Look& as) {
    Table table(std::vector<Table::Heading>{{.text = "WHEN"},
                                            {.text = "WHAT"},
                                            {.text = "HOW", .shrinks = true},
                                            {.text = "DETAILS", .shrinks = true}});
    for (const v1::SessionHistoryEntry& entry : history.entries()) AddEntry(entry, as, &table);
    return table;
  };
  return absl::StrCat(properties.Render(look), "\n", RenderInRoom(table_in, wide, look));
}

int Explain(Invocation& invocation) {
  const FlagValues& flags = invocation.flags();
  const bool by_session = !invocation.words().empty();
  if (by_session == flags.Has("request-id")) {
    return invocation.Misused("give a SESSION_ID or --request-id");
  }
  v1::GetSessionHistoryRequest request;
  if (by_session) {
    request.set_session_id(invocation.words()[0]);
  } else {
    request.set_request_id(flags.Text("request-id"));
  }
  v1::GetSessionHistoryResponse history;
  const grpc::Status status =
      invocation.Unary<Service>(&Service::Stub::GetSessionHistory, request, &history);
  if (!status.ok()) return invocation.Fail(status);
  const int code = invocation.Show({.message = history,
                                    .text = TextOf(history, invocation.wide(), invocation.look()),
                                    .id = history.session().session().session_id()});
  if (history.older_events_gone()) {
    invocation.Note("events before these are no longer kept");
  }
  if (history.truncated()) invocation.Note("there is more than fits into one answer");
  return code;
}

Flag TimeFlag(const std::string& name, const std::string& help) {
  return {.name = name, .kind = FlagKind::kTime, .value = "TIME", .help = help};
}
Flag TextFlag(const std::string& name, const std::string& value, const std::string& help) {
  return {.name = name, .value = value, .help = help};
}

}  // namespace

std::vector<Command> SessionSearchCommands() {
  return {
      {.group = "sessions",
       .name = "list",
       .summary = "List the sessions that the gateway has seen, the newest first",
       .flags = {TextFlag("reference", "TEXT", "the shop's order number: the receipt"),
                 TextFlag("reference2", "TEXT", "the shop's second reference"),
                 TextFlag("order", "ID", "the order in Order Management"),
                 TextFlag("request-id", "UUID", "the request id of the create"),
                 TextFlag("device", "ID", "only of this phone"),
                 TextFlag("location", "ID", "only those whose create named this location"),
                 {.name = "status",
                  .kind = FlagKind::kChoice,
                  .value = "STATUS",
                  .help = "only in this status",
                  .repeated = true,
                  .choices = EnumChoices(v1::SessionStatus_descriptor())},
                 TimeFlag("from", "first seen at this time or later"),
                 TimeFlag("before", "first seen before this time"),
                 TimeFlag("updated-from", "last changed at this time or later"),
                 TimeFlag("updated-before", "last changed before this time"),
                 {.name = "only-merchant",
                  .value = "ID",
                  .help = "only this merchant's; else all that the caller has",
                  .repeated = true},
                 LimitFlag("100")},
       .details = "Flags together narrow. By --updated-from or --updated-before they come in the "
                  "order of their\n"
                  "last change. A session that ended more than a week ago has only its id, status "
                  "and order\n"
                  "left.",
       .examples = {"ippctl sessions list --reference 4711",
                    "ippctl sessions list --device 550e8400-e29b-41d4-a716-446655440000 --from "
                    "2026-11-29T13:00:00Z --before 2026-11-29T15:00:00Z",
                    "ippctl sessions list --status created --status active"},
       .run = List,
       .kind = "session",
       .columns = SessionColumns()},
      {.group = "sessions",
       .name = "explain",
       .summary = "Show everything that is known of a session, in order",
       .words = {"[SESSION_ID]"},
       .flags = {TextFlag("request-id", "UUID", "instead: the request id of its create")},
       .details = "Who asked for it, each step and how the gateway came to know of it, who asked "
                  "for a cancel.",
       .examples = {"ippctl sessions explain 7c2d4f0e-54a8-4b0e-8d39-1f0d9f0f6a11",
                    "ippctl sessions explain --request-id 3f1c2b7a-0a51-4b0e-9d39-1f0d9f0f6a11"},
       .run = Explain,
       .kind = "session"},
  };
}

}  // namespace ipp::ippctl
