#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/ippctl/command.h"
#include "client/ippctl/fields.h"
#include "client/ippctl/paging.h"
#include "client/ippctl/table.h"
#include "client/ippctl/text.h"
#include "kustom/ipp/v1/outcome.grpc.pb.h"

namespace ipp::ippctl {
namespace {

namespace v1 = ::kustom::ipp::v1;
using Service = v1::OutcomeService;

std::string StateText(const v1::CreateOutcome& outcome) {
  return EnumText(v1::CreateState_descriptor(), outcome.state());
}

std::string Age(const v1::CreateOutcome& outcome) {
  const auto& at = outcome.created_at();
  if (at.seconds() == 0 && at.nanos() == 0) return "";
  return FormatAge(absl::Now() - absl::FromUnixSeconds(at.seconds()));
}

int ShowOne(Invocation& invocation) {
  v1::GetCreateOutcomeRequest request;
  request.set_request_id(invocation.flags().Text("request-id"));
  v1::GetCreateOutcomeResponse response;
  const grpc::Status status =
      invocation.Unary<Service>(&Service::Stub::GetCreateOutcome, request, &response);
  if (!status.ok()) return invocation.Fail(status);
  const v1::CreateOutcome& outcome = response.outcome();
  const absl::TimeZone zone = invocation.look().zone;
  Properties properties;
  properties.Add("Request id", outcome.request_id());
  properties.Add("State", StateText(outcome), PaintOf(StateText(outcome)));
  properties.Add("RPC", outcome.rpc());
  properties.Add("Session", outcome.session_id());
  properties.Add("Reason", outcome.reason());
  properties.Add("Message", outcome.message());
  properties.Add("Merchant", outcome.merchant_id());
  properties.Add("Caller", outcome.caller());
  properties.Add("Written down", FormatTimestamp(outcome.created_at(), zone));
  properties.Add("State since", FormatTimestamp(outcome.updated_at(), zone));
  properties.Add("May settle until", FormatTimestamp(outcome.settle_by(), zone));
  return invocation.Show({.message = outcome,
                          .text = properties.Render(invocation.look()),
                          .id = outcome.request_id()});
}

int Outcomes(Invocation& invocation) {
  const FlagValues& flags = invocation.flags();
  if (flags.Has("request-id")) {
    for (const char* other : {"state", "only-merchant"}) {
      if (flags.Has(other)) {
        return invocation.Misused(
            absl::StrCat("--", other, " and --request-id exclude each other"));
      }
    }
    return ShowOne(invocation);
  }
  v1::ListCreateOutcomesRequest request;
  for (const std::string& id : flags.All("only-merchant")) request.add_merchant_ids(id);
  for (const std::string& state : flags.All("state")) {
    request.add_states(
        static_cast<v1::CreateState>(EnumNumber(v1::CreateState_descriptor(), state)));
  }
  v1::ListCreateOutcomesResponse all;
  const grpc::Status status =
      ListAll<Service>(invocation, &Service::Stub::ListCreateOutcomes,
                       &v1::ListCreateOutcomesResponse::mutable_outcomes, std::move(request), &all);
  if (!status.ok()) return invocation.Fail(status);
  return invocation.ShowList(all);
}

std::vector<Column> OutcomeColumns() {
  using Row = v1::CreateOutcome;
  return {
      ColumnOf<Row>("REQUEST ID", [](const Row& row) { return row.request_id(); }),
      ColumnOf<Row>("AGE", Age),
      ColumnOf<Row>("RPC", [](const Row& row) { return row.rpc(); }, {.drop = 1}),
      ColumnOf<Row>("STATE", StateText, {.painted = true}),
      ColumnOf<Row>("SESSION", [](const Row& row) { return row.session_id(); }, {.drop = 4}),
      ColumnOf<Row>("CALLER", [](const Row& row) { return row.caller(); },
                    {.shrinks = true, .drop = 3}),
      ColumnOf<Row>("REASON", [](const Row& row) { return row.reason(); },
                    {.shrinks = true, .drop = 2}),
      ColumnOf<Row>("MERCHANT", [](const Row& row) { return row.merchant_id(); }, {.wide = true}),
      ColumnOf<Row>("MESSAGE", [](const Row& row) { return row.message(); }, {.wide = true}),
  };
}

}  // namespace

std::vector<Command> OutcomeCommands() {
  return {
      {.group = "sessions",
       .name = "outcomes",
       .summary = "List what became of creates, the newest first",
       .flags = {{.name = "state",
                  .kind = FlagKind::kChoice,
                  .value = "STATE",
                  .help = "only those in this state",
                  .repeated = true,
                  .choices = EnumChoices(v1::CreateState_descriptor())},
                 {.name = "request-id",
                  .value = "UUID",
                  .help = "instead: show the create with this request id"},
                 {.name = "only-merchant",
                  .value = "ID",
                  .help = "only this merchant's; else all that the caller has",
                  .repeated = true},
                 LimitFlag("100")},
       .details =
           "Creates of enrollments and simulated devices are among them. Of one that is unknown it "
           "is not known whether it was done; it may still settle by itself. One that is not-sent "
           "may be sent again, with its request id.",
       .examples = {"ippctl sessions outcomes --state unknown --state under-way",
                    "ippctl sessions outcomes --request-id 3f1c2b7a-0a51-4b0e-9d39-1f0d9f0f6a11",
                    "ippctl sessions outcomes --limit 1000 -o ndjson"},
       .run = Outcomes,
       .kind = "outcome",
       .columns = OutcomeColumns()},
  };
}

}  // namespace ipp::ippctl
