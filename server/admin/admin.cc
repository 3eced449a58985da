#include "server/admin/admin.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace ipp::admin {
namespace {

constexpr char kIndex[] =
    "ipp-gateway\n"
    "/livez    the process answers\n"
    "/readyz   every check passes\n"
    "/metrics  for Prometheus\n"
    "/configz  the configuration in force, secrets masked\n";

Page Readiness(const std::vector<AdminPages::Check>& checks) {
  Page page;
  for (const AdminPages::Check& check : checks) {
    const absl::Status status = check.ready();
    if (!status.ok()) page.code = 503;
    std::string said =
        status.ok() ? "ok" : status.ToString(absl::StatusToStringMode::kWithNoExtraData);
    if (const std::string note = check.note ? check.note() : ""; status.ok() && !note.empty()) {
      absl::StrAppend(&said, " (", note, ")");
    }
    // One line per check, even if a message contains line breaks.
    absl::StrAppend(&page.body, check.name, ": ",
                    absl::StrReplaceAll(said, {{"\r", " "}, {"\n", " "}}), "\n");
  }
  if (checks.empty()) page.body = "ok\n";
  return page;
}

}  // namespace

AdminPages::AdminPages(Metrics* metrics, std::vector<Check> checks,
                       std::function<std::string()> config_text,
                       std::function<void()> before_metrics, bool exemplars)
    : metrics_(metrics),
      checks_(std::move(checks)),
      config_text_(std::move(config_text)),
      before_metrics_(std::move(before_metrics)),
      exemplars_(exemplars) {}

std::vector<std::string> AdminPages::Paths() {
  return {"/", "/livez", "/readyz", "/metrics", "/configz"};
}

Page AdminPages::Get(absl::string_view path, absl::string_view accept) const {
  if (path == "/livez") return {.body = "ok\n"};
  if (path == "/readyz") return Readiness(checks_);
  if (path == "/metrics") {
    for (const Check& check : checks_) {
      if (check.note) check.note();
    }
    if (before_metrics_) before_metrics_();
    if (exemplars_ && absl::StrContains(accept, "application/openmetrics-text")) {
      return {.content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8",
              .body = metrics_->OpenMetrics()};
    }
    return {.content_type = "text/plain; version=0.0.4; charset=utf-8", .body = metrics_->Text()};
  }
  if (path == "/configz") {
    return {.content_type = "text/yaml; charset=utf-8", .body = config_text_()};
  }
  if (path == "/") return {.body = kIndex};
  return {.code = 404, .body = "no such page; / lists them\n"};
}

}  // namespace ipp::admin
