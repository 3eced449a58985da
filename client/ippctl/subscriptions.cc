#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/ippctl/event_log.h"
#include "client/ippctl/fields.h"
#include "client/ippctl/history_commands.h"
#include "client/ippctl/paging.h"
#include "client/ippctl/table.h"
#include "kustom/ipp/v1/shared_subscription.grpc.pb.h"
#include "server/base/protobuf_time.h"

// Shared subscriptions: `subscriptions create|list|describe|delete|parked|redrive`.
namespace ipp::ippctl {
namespace {

namespace v1 = ::kustom::ipp::v1;
using Service = v1::SharedSubscriptionService;

std::string DurationText(const google::protobuf::Duration& duration) {
  return absl::FormatDuration(FromDuration(duration));
}

std::string TextOf(const v1::SharedSubscription& subscription, const Look& look) {
  Properties properties;
  properties.Add("Name", subscription.name());
  for (const std::string& merchant : subscription.merchant_ids()) {
    properties.Add("Merchant", merchant);
  }
  for (const int type : subscription.filter().types()) {
    properties.Add("Type", EnumText(v1::SessionEventType_descriptor(), type));
  }
  for (const std::string& device : subscription.filter().device_ids()) {
    properties.Add("Device", device);
  }
  properties.Add("Lease", DurationText(subscription.lease()));
  properties.Add("Attempts", absl::StrCat(subscription.max_attempts()));
  properties.Add("Made", FormatTimestamp(subscription.created_at(), look.zone));
  properties.Add("Last used", FormatTimestamp(subscription.last_used_at(), look.zone));
  if (subscription.has_counts()) {
    const v1::SharedSubscriptionCounts& counts = subscription.counts();
    properties.Add("Not looked at", absl::StrCat(counts.backlog()));
    properties.Add("Out", absl::StrCat(counts.out()));
    properties.Add("Held", absl::StrCat(counts.held()));
    properties.Add("Parked", absl::StrCat(counts.parked()),
                   counts.parked() > 0 ? Paint::kBad : Paint::kNone);
    properties.Add("Oldest unsettled", FormatTimestamp(counts.oldest_unsettled_at(), look.zone));
    if (counts.expired()) properties.Add("Expired", "events were removed undelivered", Paint::kBad);
  }
  return properties.Render(look);
}

int Create(Invocation& invocation) {
  const FlagValues& flags = invocation.flags();
  v1::CreateSharedSubscriptionRequest request;
  v1::SharedSubscription& asked = *request.mutable_subscription();
  asked.set_name(invocation.words()[0]);
  *asked.mutable_filter() = Filter(flags);
  v1::SharedSubscriptionStart& start = *asked.mutable_start();
  int starts = 0;
  if (flags.Has("after")) {
    ++starts;
    start.set_after_cursor(flags.Text("after"));
  }
  if (flags.Has("from-time")) {
    ++starts;
    *start.mutable_start_time() = ToTimestamp(flags.Time("from-time"));
  }
  if (flags.Has("from-oldest")) {
    ++starts;
    start.set_position(v1::START_POSITION_FROM_OLDEST);
  }
  if (starts > 1) {
    return invocation.Misused("--after, --from-time and --from-oldest exclude each other");
  }
  if (starts == 0) start.set_position(v1::START_POSITION_FROM_NOW);
  if (flags.Has("lease")) *asked.mutable_lease() = ToDuration(flags.Duration("lease"));
  if (flags.Has("max-attempts")) {
    asked.set_max_attempts(static_cast<int32_t>(flags.Integer("max-attempts")));
  }
  v1::CreateSharedSubscriptionResponse response;
  const grpc::Status status =
      invocation.Unary<Service>(&Service::Stub::CreateSharedSubscription, request, &response);
  if (!status.ok()) return invocation.Fail(status);
  if (response.existed()) invocation.Note("it existed, with the same settings");
  return invocation.Show({.message = response.subscription(),
                          .text = TextOf(response.subscription(), invocation.look()),
                          .id = response.subscription().name()});
}

int List(Invocation& invocation) {
  v1::ListSharedSubscriptionsResponse response;
  const grpc::Status status = invocation.Unary<Service>(
      &Service::Stub::ListSharedSubscriptions, v1::ListSharedSubscriptionsRequest(), &response);
  return status.ok() ? invocation.ShowList(response) : invocation.Fail(status);
}

int Describe(Invocation& invocation) {
  v1::GetSharedSubscriptionRequest request;
  request.set_name(invocation.words()[0]);
  v1::GetSharedSubscriptionResponse response;
  const grpc::Status status =
      invocation.Unary<Service>(&Service::Stub::GetSharedSubscription, request, &response);
  if (!status.ok()) return invocation.Fail(status);
  return invocation.Show({.message = response.subscription(),
                          .text = TextOf(response.subscription(), invocation.look()),
                          .id = response.subscription().name()});
}

int Delete(Invocation& invocation) {
  v1::DeleteSharedSubscriptionRequest request;
  request.set_name(invocation.words()[0]);
  v1::DeleteSharedSubscriptionResponse response;
  const grpc::Status status =
      invocation.Unary<Service>(&Service::Stub::DeleteSharedSubscription, request, &response);
  if (!status.ok()) return invocation.Fail(status);
  return invocation.Show({.message = response,
                          .text = response.existed() ? "deleted\n" : "there was none\n",
                          .id = request.name()});
}

// --all, or event ids as words. False: neither, or both.
template <typename Request>
bool FillChoice(const Invocation& invocation, Request* request) {
  request->set_subscription(invocation.words()[0]);
  request->set_all(invocation.flags().Has("all"));
  for (const std::string& id : invocation.flags().All("event")) request->add_event_ids(id);
  return request->all() == request->event_ids().empty();
}

int Redrive(Invocation& invocation) {
  v1::RedriveSessionEventsRequest request;
  if (!FillChoice(invocation, &request)) return invocation.Misused("give --event ID, or --all");
  v1::RedriveSessionEventsResponse response;
  const grpc::Status status =
      invocation.Unary<Service>(&Service::Stub::RedriveSessionEvents, request, &response);
  if (!status.ok()) return invocation.Fail(status);
  return invocation.Show({.message = response,
                          .text = absl::StrCat(response.redriven(), " will be delivered again\n"),
                          .id = request.subscription()});
}

int Forget(Invocation& invocation) {
  v1::DeleteParkedSessionEventsRequest request;
  if (!FillChoice(invocation, &request)) return invocation.Misused("give --event ID, or --all");
  v1::DeleteParkedSessionEventsResponse response;
  const grpc::Status status =
      invocation.Unary<Service>(&Service::Stub::DeleteParkedSessionEvents, request, &response);
  if (!status.ok()) return invocation.Fail(status);
  return invocation.Show({.message = response,
                          .text = absl::StrCat(response.deleted(), " were deleted\n"),
                          .id = request.subscription()});
}

int Parked(Invocation& invocation) {
  v1::ListParkedSessionEventsRequest request;
  request.set_subscription(invocation.words()[0]);
  v1::ListParkedSessionEventsResponse all;
  const grpc::Status status = ListAll<Service>(invocation, &Service::Stub::ListParkedSessionEvents,
                                               &v1::ListParkedSessionEventsResponse::mutable_events,
                                               std::move(request), &all);
  return status.ok() ? invocation.ShowList(all) : invocation.Fail(status);
}

std::vector<Column> SubscriptionColumns() {
  using Row = v1::SharedSubscription;
  return {
      ColumnOf<Row>("NAME", [](const Row& row) { return row.name(); }),
      ColumnOf<Row>("BACKLOG", [](const Row& row) { return absl::StrCat(row.counts().backlog()); }),
      ColumnOf<Row>("OUT", [](const Row& row) { return absl::StrCat(row.counts().out()); }),
      ColumnOf<Row>("HELD", [](const Row& row) { return absl::StrCat(row.counts().held()); }),
      ColumnOf<Row>("PARKED", [](const Row& row) { return absl::StrCat(row.counts().parked()); }),
      ColumnOf<Row>("OLDEST UNSETTLED",
                    [](const Row& row, const Look& look) {
                      return TableTime(row.counts().oldest_unsettled_at(), look);
                    }),
      ColumnOf<Row>(
          "LAST USED",
          [](const Row& row, const Look& look) { return TableTime(row.last_used_at(), look); },
          {.drop = 1}),
      ColumnOf<Row>("LEASE", [](const Row& row) { return DurationText(row.lease()); },
                    {.wide = true}),
      ColumnOf<Row>("ATTEMPTS", [](const Row& row) { return absl::StrCat(row.max_attempts()); },
                    {.wide = true}),
  };
}

std::vector<Column> ParkedColumns() {
  using Row = v1::ParkedSessionEvent;
  return {
      ColumnOf<Row>(
          "PARKED",
          [](const Row& row, const Look& look) { return TableTime(row.parked_at(), look); },
          {.drop = 1}),
      ColumnOf<Row>("EVENT", [](const Row& row) { return row.event().event_id(); }, {.id = true}),
      ColumnOf<Row>("TYPE",
                    [](const Row& row) {
                      return EnumText(v1::SessionEventType_descriptor(), row.event().type());
                    },
                    {.drop = 4}),
      ColumnOf<Row>("SESSION", [](const Row& row) { return row.event().session_id(); },
                    {.drop = 5}),
      ColumnOf<Row>("ATTEMPTS", [](const Row& row) { return absl::StrCat(row.attempts()); },
                    {.drop = 3}),
      ColumnOf<Row>("REASON", [](const Row& row) { return row.reason(); }, {.shrinks = true}),
      ColumnOf<Row>("CONSUMER", [](const Row& row) { return row.consumer(); }, {.wide = true}),
  };
}

Flag EventFlag() {
  return {
      .name = "event", .value = "ID", .help = "this event; may be given again", .repeated = true};
}
Flag AllFlag() { return {.name = "all", .kind = FlagKind::kSwitch, .help = "all that are parked"}; }

std::vector<Flag> CreateFlags() {
  std::vector<Flag> flags = FilterFlags();
  flags.push_back({.name = "from-oldest",
                   .kind = FlagKind::kSwitch,
                   .help = "begin with the oldest event that is kept; else with what comes"});
  flags.push_back({.name = "from-time",
                   .kind = FlagKind::kTime,
                   .value = "TIME",
                   .help = "begin with the first event recorded at this time or later"});
  flags.push_back({.name = "after", .value = "CURSOR", .help = "begin after this cursor"});
  flags.push_back({.name = "lease",
                   .kind = FlagKind::kDuration,
                   .value = "DURATION",
                   .help = "how long a pod has for one event, 5s to 10m; else 30s"});
  flags.push_back({.name = "max-attempts",
                   .kind = FlagKind::kCount,
                   .value = "N",
                   .help = "deliveries before an event is parked, up to 100; else 10"});
  return flags;
}

}  // namespace

std::vector<Command> SubscriptionCommands() {
  return {
      {.group = "subscriptions",
       .name = "create",
       .summary = "Make a place in the event log that several pods share",
       .words = {"NAME"},
       .flags = CreateFlags(),
       .details = "The settings are fixed for life. To make it again with the same ones does "
                  "nothing.",
       .examples = {"ippctl subscriptions create orders --type finalized --type cancelled",
                    "ippctl subscriptions create ledger --from-oldest --lease 2m"},
       .run = Create,
       .kind = "subscription"},
      {.group = "subscriptions",
       .name = "list",
       .summary = "List the shared subscriptions, with what waits in each",
       .examples = {"ippctl subscriptions list"},
       .run = List,
       .kind = "subscription",
       .columns = SubscriptionColumns()},
      {.group = "subscriptions",
       .name = "describe",
       .summary = "Show one shared subscription",
       .words = {"NAME"},
       .examples = {"ippctl subscriptions describe orders"},
       .run = Describe,
       .kind = "subscription"},
      {.group = "subscriptions",
       .name = "delete",
       .summary = "Remove a shared subscription with its leases and its parked events",
       .words = {"NAME"},
       .examples = {"ippctl subscriptions delete orders"},
       .run = Delete,
       .kind = "subscription"},
      {.group = "subscriptions",
       .name = "parked",
       .summary = "List the events that were given up, oldest first",
       .words = {"NAME"},
       .flags = {LimitFlag("100")},
       .examples = {"ippctl subscriptions parked orders"},
       .run = Parked,
       .kind = "event",
       .columns = ParkedColumns()},
      {.group = "subscriptions",
       .name = "redrive",
       .summary = "Deliver parked events once more",
       .words = {"NAME"},
       .flags = {EventFlag(), AllFlag()},
       .examples = {"ippctl subscriptions redrive orders --all"},
       .run = Redrive,
       .kind = "subscription"},
      {.group = "subscriptions",
       .name = "forget",
       .summary = "Delete parked events",
       .words = {"NAME"},
       .flags = {EventFlag(), AllFlag()},
       .examples = {"ippctl subscriptions forget orders --all"},
       .run = Forget,
       .kind = "subscription"},
  };
}

}  // namespace ipp::ippctl
