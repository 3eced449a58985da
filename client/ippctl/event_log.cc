#include "client/ippctl/event_log.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "client/ippctl/fields.h"
#include "client/ippctl/text.h"
#include "ippclient/error.h"
#include "server/base/protobuf_time.h"

namespace ipp::ippctl {
namespace {

namespace v1 = ::kustom::ipp::v1;

}  // namespace

std::vector<Flag> FilterFlags() {
  return {
      {.name = "session",
       .value = "ID",
       .help = "only this session",
       .repeated = true,
       .source = "sessions"},
      {.name = "device",
       .value = "ID",
       .help = "only sessions on this phone",
       .repeated = true,
       .source = "devices"},
      {.name = "type",
       .kind = FlagKind::kChoice,
       .value = "TYPE",
       .help = "only this type",
       .repeated = true,
       .choices = EnumChoices(v1::SessionEventType_descriptor())},
      {.name = "reference",
       .value = "TEXT",
       .help = "only sessions with this order number of the shop's",
       .repeated = true},
      {.name = "only-merchant",
       .value = "ID",
       .help = "only this merchant's; else all that the caller has",
       .repeated = true},
  };
}

v1::SessionEventFilter Filter(const FlagValues& flags) {
  v1::SessionEventFilter filter;
  for (const std::string& id : flags.All("session")) filter.add_session_ids(id);
  for (const std::string& id : flags.All("device")) filter.add_device_ids(id);
  for (const std::string& type : flags.All("type")) {
    filter.add_types(
        static_cast<v1::SessionEventType>(EnumNumber(v1::SessionEventType_descriptor(), type)));
  }
  for (const std::string& text : flags.All("reference")) filter.add_merchant_reference1s(text);
  for (const std::string& id : flags.All("only-merchant")) filter.add_merchant_ids(id);
  return filter;
}

std::vector<Column> EventColumns() {
  using Row = v1::SessionEvent;
  const auto note = [](const Row& row) {
    std::vector<std::string> parts;
    if (!row.order_id().empty()) parts.push_back(absl::StrCat("order ", row.order_id()));
    if (!row.failure_reason().empty()) parts.push_back(row.failure_reason());
    if (row.source() == v1::SESSION_EVENT_SOURCE_RECONCILIATION) {
      parts.push_back("(found out by reading)");
    }
    return absl::StrJoin(parts, "  ");
  };
  return {
      ColumnOf<Row>(
          "TIME",
          [](const Row& row, const Look& look) { return TableTime(row.occurred_at(), look); },
          {.time = true}),
      ColumnOf<Row>("TYPE",
                    [](const Row& row) {
                      return EnumText(v1::SessionEventType_descriptor(), row.type(),
                                      row.upstream_type());
                    },
                    {.width = 14, .painted = true}),
      ColumnOf<Row>("SESSION", [](const Row& row) { return row.session_id(); }, {.width = 36}),
      // A thin event knows the id and the status alone.
      ColumnOf<Row>("AMOUNT",
                    [](const Row& row) {
                      const v1::Session& session = row.session();
                      return session.purchase_currency().empty()
                                 ? ""
                                 : FormatMoney(session.order_amount(), session.purchase_currency());
                    },
                    {.drop = 1, .width = 12}),
      ColumnOf<Row>("NOTE", note, {.shrinks = true, .drop = 2, .width = kOrderNote}),
      ColumnOf<Row>("REFERENCE", [](const Row& row) { return row.session().merchant_reference1(); },
                    {.wide = true, .width = 12}),
      ColumnOf<Row>("DEVICE", [](const Row& row) { return row.session().device_id(); },
                    {.wide = true, .width = 36}),
      ColumnOf<Row>("MERCHANT", [](const Row& row) { return row.merchant_id(); },
                    {.wide = true, .width = 10}),
      ColumnOf<Row>("EVENT", [](const Row& row) { return row.event_id(); },
                    {.wide = true, .id = true}),
  };
}

Flag SinceFlag() {
  return {.name = "since",
          .kind = FlagKind::kDuration,
          .value = "DURATION",
          .help = "recorded at most so long ago: 30m, 1h"};
}

std::vector<Flag> StartFlags() {
  return {
      {.name = "after", .value = "CURSOR", .help = "go on after this cursor"},
      {.name = "from", .value = "WHERE", .help = "oldest, now (what is left out means) or a time"},
      SinceFlag(),
      {.name = "cursor-file",
       .value = "FILE",
       .help =
           "go on after the cursor in it, and keep it up to date; --from is for the first time"},
      {.name = "skip-expired",
       .kind = FlagKind::kSwitch,
       .help = "when the cursor is too old, go on with the oldest event that is kept"},
  };
}

absl::StatusOr<absl::Time> ParseTimeFlag(absl::string_view flag, const std::string& text) {
  absl::Time time;
  if (absl::ParseTime(absl::RFC3339_full, text, &time, nullptr)) return time;
  return absl::InvalidArgumentError(absl::StrCat(flag, ": '", text, "' is not ",
                                                 flag == "--from" ? "oldest, " : "",
                                                 "now or a time such as 2026-01-31T08:00:00Z"));
}

absl::Status FillStart(const FlagValues& flags, const std::string& kept,
                       v1::SubscribeSessionEventsRequest* request) {
  constexpr const char* kExclusive[][2] = {
      {"after", "from"}, {"after", "cursor-file"}, {"after", "since"}, {"from", "since"}};
  for (const auto& [one, other] : kExclusive) {
    if (flags.Has(one) && flags.Has(other)) {
      return absl::InvalidArgumentError(
          absl::StrCat("--", one, " and --", other, " exclude each other"));
    }
  }
  if (flags.Has("skip-expired")) {
    request->set_on_cursor_expired(v1::CURSOR_EXPIRED_POLICY_SKIP_TO_OLDEST);
  }
  const std::string from = flags.Text("from");
  if (flags.Has("since")) {
    *request->mutable_start_time() = ToTimestamp(absl::Now() - flags.Duration("since"));
  } else if (from.empty() || from == "now") {
    request->set_position(v1::START_POSITION_FROM_NOW);
  } else if (from == "oldest") {
    request->set_position(v1::START_POSITION_FROM_OLDEST);
  } else {
    const auto time = ParseTimeFlag("--from", from);
    if (!time.ok()) return time.status();
    *request->mutable_start_time() = ToTimestamp(*time);
  }
  const std::string cursor = flags.Has("after") ? flags.Text("after") : kept;
  if (!cursor.empty()) request->set_after_cursor(cursor);
  return absl::OkStatus();
}

std::string DescribeReconnect(const Invocation& invocation, const grpc::Status& status,
                              absl::Duration retry_in) {
  const client::Error error = client::DecodeError(status);
  const std::string trouble = ConnectionTrouble(error, invocation.way());
  return absl::StrCat("ippctl: ", client::CodeName(error.code), ": ",
                      trouble.empty() ? Printable(error.message) : trouble, "; again in ",
                      absl::FormatDuration(absl::Trunc(retry_in, absl::Milliseconds(1))), "\n");
}

}  // namespace ipp::ippctl
