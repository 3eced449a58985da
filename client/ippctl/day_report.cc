#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client/ippctl/fields.h"
#include "client/ippctl/history_commands.h"
#include "client/ippctl/paging.h"
#include "client/ippctl/table.h"
#include "client/ippctl/text.h"
#include "kustom/ipp/v1/device.grpc.pb.h"
#include "kustom/ipp/v1/report.grpc.pb.h"

// `report day`.
namespace ipp::ippctl {
namespace {

namespace v1 = ::kustom::ipp::v1;
using Service = v1::ReportService;

// The machine's time zone by its IANA name; "UTC" when it cannot be told.
std::string ZoneOfMachine() {
  std::array<char, 256> target;
  const ssize_t size = readlink("/etc/localtime", target.data(), target.size());
  if (size <= 0) return "UTC";
  const std::string path(target.data(), static_cast<size_t>(size));
  const size_t at = path.find("zoneinfo/");
  return at == std::string::npos ? "UTC" : path.substr(at + 9);
}

int64_t Ended(const v1::DayTotal& total, v1::SessionStatus status) {
  for (const v1::StatusCount& count : total.ended()) {
    if (count.status() == status) return count.count();
  }
  return 0;
}

// One row of the table or of the CSV. `whole`: amounts in minor units, as numbers.
std::vector<std::string> Row(const std::string& device, const v1::DayTotal& total, bool whole) {
  const auto money = [&](int64_t amount) {
    return whole ? absl::StrCat(amount) : FormatMoney(amount, total.currency());
  };
  return {device,
          total.currency(),
          absl::StrCat(total.paid_count()),
          money(total.paid_amount()),
          absl::StrCat(total.paid_amount_unknown_count()),
          absl::StrCat(Ended(total, v1::SESSION_STATUS_CANCELLED)),
          absl::StrCat(Ended(total, v1::SESSION_STATUS_EXPIRED)),
          absl::StrCat(Ended(total, v1::SESSION_STATUS_FAILED)),
          absl::StrCat(total.open_count()),
          absl::StrCat(total.corrected_count()),
          money(total.corrected_paid_amount()),
          absl::StrCat(total.webhook_lost_count())};
}

// RFC 4180. A cell that a spreadsheet would take for a formula gets a quote before it.
std::string CsvCell(absl::string_view text) {
  std::string cell(text);
  if (!cell.empty() && absl::string_view("=+@\t\r").find(cell[0]) != absl::string_view::npos) {
    cell.insert(0, "'");
  }
  if (cell.find_first_of(",\"\r\n") == std::string::npos) return cell;
  std::string quoted = "\"";
  for (const char c : cell) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + "\"";
}

void PrintCsv(const v1::GetDayReportResponse& report, const std::string& day, std::ostream& out) {
  out << "merchant,day,device,currency,paid,paid_minor_units,paid_amount_unknown,cancelled,"
         "expired,failed,open,corrected,corrected_paid_minor_units,webhook_lost\r\n";
  const auto line = [&](const std::string& device, const v1::DayTotal& total) {
    out << CsvCell(report.merchant_id()) << "," << CsvCell(day);
    for (const std::string& cell : Row(device, total, true)) out << "," << CsvCell(cell);
    out << "\r\n";
  };
  for (const v1::DeviceDayTotal& device : report.devices()) {
    for (const v1::DayTotal& total : device.totals()) line(device.device_id(), total);
  }
}

// On a narrow terminal a column without a figure goes before one that has some, and the last before
// the first. Who is paid how much stays.
std::vector<Table::Heading> Headings(const std::vector<std::vector<std::string>>& rows) {
  constexpr size_t kStay = 4;
  std::vector<Table::Heading> headings;
  for (const char* text :
       {"DEVICE", "CURRENCY", "PAID", "AMOUNT", "NO AMOUNT", "CANCELLED", "EXPIRED", "FAILED",
        "OPEN", "CORRECTED", "CORRECTED PAID", "WEBHOOK LOST"}) {
    const size_t at = headings.size();
    const bool empty = std::none_of(rows.begin(), rows.end(), [&](const auto& row) {
      return row[at].find_first_of("123456789") != std::string::npos;
    });
    headings.push_back({.text = text, .drop = at < kStay ? 0 : empty ? 2 : 1});
  }
  return headings;
}

std::string TextOf(const v1::GetDayReportResponse& report, bool wide, const Look& look) {
  Properties properties;
  properties.Add("Merchant", report.merchant_id());
  properties.Add("From", FormatTimestamp(report.starts_at(), look.zone));
  properties.Add("Before", FormatTimestamp(report.ends_at(), look.zone));
  properties.Add("As of", FormatTimestamp(report.as_of(), look.zone));
  properties.Add("Creates unknown", absl::StrCat(report.creates_unknown()));
  std::vector<std::vector<std::string>> rows;
  for (const v1::DeviceDayTotal& device : report.devices()) {
    const std::string name = device.device_id().empty() ? "not known" : device.device_id();
    for (const v1::DayTotal& total : device.totals()) rows.push_back(Row(name, total, false));
  }
  for (const v1::DayTotal& total : report.totals()) rows.push_back(Row("all", total, false));
  Table table(Headings(rows));
  for (auto& row : rows) table.Add(std::move(row));
  return absl::StrCat(properties.Render(look), "\n",
                      RenderInRoom([&](const Look&) { return table; }, wide, look));
}

// The phones that are at the location now.
grpc::Status AddDevicesAt(Invocation& invocation, const std::string& location,
                          v1::GetDayReportRequest* request) {
  v1::ListDevicesRequest wanted;
  wanted.set_location_id(location);
  v1::ListDevicesResponse all;
  const grpc::Status status = ListAll<v1::DeviceService>(
      invocation, &v1::DeviceService::Stub::ListDevices, &v1::ListDevicesResponse::mutable_devices,
      std::move(wanted), &all);
  for (const v1::Device& device : all.devices()) request->add_device_ids(device.id());
  if (status.ok() && all.devices().empty()) {
    return {grpc::StatusCode::NOT_FOUND, "there is no phone at this location"};
  }
  return status;
}

int Day(Invocation& invocation) {
  const FlagValues& flags = invocation.flags();
  if (flags.Has("csv") && invocation.machine()) {
    return invocation.Misused("--csv and --output exclude each other");
  }
  v1::GetDayReportRequest request;
  request.set_time_zone(flags.Has("time-zone") ? flags.Text("time-zone") : ZoneOfMachine());
  request.set_day(flags.Text("date"));
  if (!flags.Has("date")) {
    absl::TimeZone zone;
    if (!absl::LoadTimeZone(request.time_zone(), &zone)) {
      return invocation.Misused(absl::StrCat("this machine does not know the time zone ",
                                             request.time_zone(), ": give --date"));
    }
    request.set_day(absl::FormatTime("%Y-%m-%d", absl::Now(), zone));
  }
  for (const std::string& id : flags.All("device")) request.add_device_ids(id);
  if (flags.Has("location")) {
    const grpc::Status found = AddDevicesAt(invocation, flags.Text("location"), &request);
    if (!found.ok()) return invocation.Fail(found);
  }
  v1::GetDayReportResponse report;
  const grpc::Status status =
      invocation.Unary<Service>(&Service::Stub::GetDayReport, request, &report);
  if (!status.ok()) return invocation.Fail(status);
  int code = kExitOk;
  if (flags.Has("csv")) {
    PrintCsv(report, request.day(), invocation.out());
  } else {
    code = invocation.Show({.message = report,
                            .text = TextOf(report, invocation.wide(), invocation.look()),
                            .id = request.day()});
  }
  if (report.partial()) {
    invocation.Note(absl::StrCat(
        "a part of this day is no longer kept: the sums are too small; days are whole since ",
        FormatTimestamp(report.complete_since(), invocation.look().zone)));
  }
  return code;
}

}  // namespace

std::vector<Command> ReportCommands() {
  return {
      {.group = "report",
       .name = "day",
       .summary = "Add up a day: sums by phone and in all",
       .flags = {{.name = "date", .value = "YYYY-MM-DD", .help = "which day; else today"},
                 {.name = "time-zone",
                  .value = "NAME",
                  .help = "whose day, such as Europe/Stockholm; else the machine's",
                  .environment = "IPPCTL_TIME_ZONE",
                  .setting = true},
                 {.name = "device", .value = "ID", .help = "only of this phone", .repeated = true},
                 {.name = "location", .value = "ID", .help = "only of the phones at this location"},
                 {.name = "csv", .kind = FlagKind::kSwitch, .help = "CSV, a line for each phone"}},
       .details = "A session counts on the day on which it ended. Amounts of the CSV are in minor "
                  "units. Standard\n"
                  "error says when a part of the day is no longer kept.",
       .examples = {"ippctl report day",
                    "ippctl report day --date 2026-11-29 --time-zone "
                    "Europe/Stockholm --csv"},
       .run = Day,
       .kind = "report"},
  };
}

}  // namespace ipp::ippctl
