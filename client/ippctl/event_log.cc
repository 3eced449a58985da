#include "client/ippctl/event_log.h"

#include "absl/strings/str_cat.h"
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
      {.name = "session", .value = "ID", .help = "only this session", .repeated = true},
      {.name = "device", .value = "ID", .help = "only sessions on this phone", .repeated = true},
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

std::vector<Flag> StartFlags() {
  return {
      {.name = "after", .value = "CURSOR", .help = "go on after this cursor"},
      {.name = "from", .value = "WHERE", .help = "oldest, now (what is left out means) or a time"},
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
  for (const char* other : {"from", "cursor-file"}) {
    if (flags.Has("after") && flags.Has(other)) {
      return absl::InvalidArgumentError(
          absl::StrCat("--after and --", other, " exclude each other"));
    }
  }
  if (flags.Has("skip-expired")) {
    request->set_on_cursor_expired(v1::CURSOR_EXPIRED_POLICY_SKIP_TO_OLDEST);
  }
  const std::string from = flags.Text("from");
  if (from.empty() || from == "now") {
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

std::string DescribeReconnect(const grpc::Status& status, absl::Duration retry_in) {
  return absl::StrCat("ippctl: ", client::CodeName(status.error_code()), ": ",
                      Printable(status.error_message()), "; again in ",
                      absl::FormatDuration(absl::Trunc(retry_in, absl::Milliseconds(1))), "\n");
}

}  // namespace ipp::ippctl
