// disk_full --build DIR: the disk fills up under the real gateway on SQLite, and has room again
// later, without a restart in between. A limit on the size of its files, set while it runs, stands
// for the disk.
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "kustom/ipp/v1/session.grpc.pb.h"
#include "server/base/status_macros.h"
#include "tests/faults/bed.h"
#include "tests/faults/fresh_channel.h"
#include "tests/faults/http_connection.h"
#include "tests/faults/library_observer.h"
#include "tests/faults/listed_events.h"
#include "tests/faults/metrics_check.h"
#include "tests/faults/options.h"
#include "tests/faults/plan.h"
#include "tests/faults/raw_observer.h"
#include "tests/faults/report.h"
#include "tests/faults/traffic.h"
#include "tests/faults/unrecorded.h"
#include "tests/faults/verdict.h"

namespace ipp::faults {
namespace {

namespace v1 = kustom::ipp::v1;
using std::chrono::milliseconds;

constexpr absl::Duration kPatience = absl::Seconds(60);
constexpr int kSessionsBefore = 40;

class DiskFull {
 public:
  explicit DiskFull(const RunOptions& options) : options_(options) {}

  absl::Status Run() {
    IPP_RETURN_IF_ERROR(Start());
    IPP_RETURN_IF_ERROR(Prosper());
    IPP_RETURN_IF_ERROR(FillUp());
    IPP_RETURN_IF_ERROR(CheckWhileFull());
    IPP_RETURN_IF_ERROR(MakeRoom());
    return CheckEverything();
  }

  void Keep() {
    if (bed_ == nullptr) return;
    bed_->directory().Keep();
    std::printf("logs and store: %s\n", bed_->directory().path().c_str());
  }

 private:
  absl::Status Start() {
    IPP_ASSIGN_OR_RETURN(bed_, Bed::Start(options_));
    control_ = std::make_unique<SimulatorControl>(bed_->simulator().port());
    IPP_RETURN_IF_ERROR(control_->SetReceivers({gateway().webhook_url()}));
    const auto gateways = bed_->grpc_addresses();
    watches_ = std::make_unique<Watches>(gateways, &changes_);
    traffic_ = std::make_unique<Traffic>(bed_->simulator(), gateways, watches_.get());
    RawObserver::Options raw{.name = "all", .gateways = gateways};
    raw_ = std::make_unique<RawObserver>(raw, &changes_);
    library_ =
        std::make_unique<LibraryObserver>("library", gateways, v1::SessionEventFilter(), &changes_);
    return absl::OkStatus();
  }

  // Some history, so that there is something to read.
  absl::Status Prosper() {
    pid_ = gateway().pid();
    std::mt19937_64 random(options_.seed);
    traffic_->Begin("before", DrawPlans(kSessionsBefore, 2, &random), options_.seed);
    traffic_->Finish();
    IPP_RETURN_IF_ERROR(Until("webhooks are taken", [&] { return Undelivered() == 0; }));
    return Until("events are seen", [&] { return raw_->observation().events.size() > 60; });
  }

  absl::Status FillUp() {
    uintmax_t largest = 0;
    for (const auto& file : std::filesystem::directory_iterator(bed_->directory().path())) {
      if (file.is_regular_file()) largest = std::max(largest, file.file_size());
    }
    // The next few commits still fit.
    IPP_RETURN_IF_ERROR(SetLimit(largest + 32 * 1024));
    return Until("webhooks are refused for want of room", [&] {
      const auto created = control_->CreateSession(bed_->simulator().merchants()[0],
                                                   absl::StrCat("full-", ++created_));
      if (created.ok()) made_while_full_.push_back(*created);
      return Metric("ipp_webhooks_total", "result=\"store_failed\"") >= 5;
    });
  }

  absl::Status CheckWhileFull() {
    const int streams = raw_->streams();
    const int heartbeats = raw_->heartbeats();
    IPP_RETURN_IF_ERROR(
        Until("heartbeats go on", [&] { return raw_->heartbeats() >= heartbeats + 2; }));
    if (raw_->streams() != streams) return absl::InternalError("the stream broke");
    if (Undelivered() == 0) return absl::InternalError("every webhook was taken");
    // Creates reach the upstream and are answered; the log says that they are not written down.
    std::mt19937_64 random(options_.seed);
    traffic_->Begin("during", DrawPlans(8, 2, &random), options_.seed + 1);
    traffic_->Finish();
    if (!traffic_->complaints().empty()) {
      return absl::InternalError(traffic_->complaints().front());
    }
    // A read of the upstream, of the log, and from the log's beginning.
    const auto stub = v1::SessionService::NewStub(FreshChannel(gateway().grpc_address()));
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    context.AddMetadata("x-merchant-id", bed_->simulator().merchants()[0].id);
    v1::GetSessionRequest request;
    request.set_session_id(made_while_full_.front());
    v1::GetSessionResponse response;
    const grpc::Status status = stub->GetSession(&context, request, &response);
    if (!status.ok()) return absl::InternalError("GetSession: " + status.error_message());
    Verdict verdict;
    const Observation all = raw_->observation();
    JudgeObserver(all, ListEvents(gateway().grpc_address(), "ListSessionEvents"), &verdict);
    if (!verdict.good()) return absl::InternalError(Differences(verdict, 5));
    const RawObserver late({.name = "late", .gateways = bed_->grpc_addresses()}, &changes_);
    IPP_RETURN_IF_ERROR(Until("a new subscriber has all", [&] {
      return late.observation().events.size() >= all.events.size();
    }));
    if (HttpConnection(gateway().admin_port()).Call("GET", "/livez").code != 200) {
      return absl::InternalError("/livez says that it is dead");
    }
    return gateway().Running() ? absl::OkStatus() : absl::InternalError("the gateway has ended");
  }

  absl::Status MakeRoom() {
    IPP_RETURN_IF_ERROR(SetLimit(RLIM_INFINITY));
    IPP_RETURN_IF_ERROR(Until("all webhooks are taken", [&] { return Undelivered() == 0; }));
    for (const std::string& session : made_while_full_) {
      IPP_RETURN_IF_ERROR(control_->Step(session, "expire"));
    }
    IPP_ASSIGN_OR_RETURN(const SimulatorControl::Reading reading, control_->Read());
    for (const auto& [id, session] : reading.truth.sessions) {
      static_cast<void>(control_->Step(id, "clerk-cancel"));  // of those that are open
    }
    IPP_RETURN_IF_ERROR(Until("all webhooks are taken", [&] { return Undelivered() == 0; }));
    return Until("the gateway is ready", [&] {
      return HttpConnection(gateway().admin_port()).Call("GET", "/readyz").code == 200;
    });
  }

  absl::Status CheckEverything() {
    IPP_ASSIGN_OR_RETURN(const SimulatorControl::Reading reading, control_->Read());
    History history;
    Verdict verdict;
    const absl::Status settled = Until("every session has ended for everybody", [&] {
      history = {.truth = reading.truth,
                 .ledger = traffic_->ledger(),
                 .observers = {raw_->observation(), library_->observation()},
                 .watches = watches_->observations()};
      NoteUnrecorded(ReadFile(gateway().log()), &history.ledger);
      history.ledger.asked.insert(made_while_full_.front());
      for (const WatchObservation& watch : history.watches) {
        history.ledger.asked.insert(watch.session_id);
      }
      verdict = Judge(history);
      return verdict.missing.empty() || !verdict.wrong.empty();
    });
    if (!settled.ok() || !verdict.good()) return absl::InternalError(Differences(verdict, 20));
    if (gateway().pid() != pid_ || !gateway().Running()) {
      return absl::InternalError("the gateway was started again");
    }
    const Tally tally = Count(history);
    if (tally.unknown > 0) return absl::InternalError("sessions are unknown");
    IPP_ASSIGN_OR_RETURN(const std::string metrics, gateway().Metrics());
    for (const std::string& finding : FindInMetrics(
             metrics, history, {.started_at = gateway().started_at(), .store_may_fail = true})) {
      return absl::InternalError(finding);
    }
    std::printf("%d sessions, %d events, %d webhooks refused while the disk was full, none lost\n",
                tally.sessions, tally.events,
                static_cast<int>(Metric("ipp_webhooks_total", "result=\"store_failed\"")));
    return absl::OkStatus();
  }

  absl::Status SetLimit(uintmax_t bytes) const {
    const rlimit limit{.rlim_cur = bytes, .rlim_max = RLIM_INFINITY};
    if (prlimit(gateway().pid(), RLIMIT_FSIZE, &limit, nullptr) == 0) return absl::OkStatus();
    return absl::InternalError("cannot limit the size of the gateway's files");
  }

  absl::Status Until(const char* what, absl::FunctionRef<bool()> is_so) {
    const absl::Time deadline = absl::Now() + kPatience;
    while (true) {
      const uint64_t seen = changes_.count();
      if (is_so()) return absl::OkStatus();
      if (absl::Now() > deadline) return absl::DeadlineExceededError(absl::StrCat("until ", what));
      IPP_RETURN_IF_ERROR(bed_->Check());
      changes_.WaitBeyond(seen, milliseconds(20));
    }
  }

  int Undelivered() { return control_->Undelivered().value_or(-1); }
  double Metric(const std::string& name, const std::string& label) {
    return SumOf(gateway().Metrics().value_or(""), name, {label});
  }
  GatewayProcess& gateway() const { return *bed_->gateways().front(); }

  const RunOptions options_;
  std::unique_ptr<Bed> bed_;
  std::unique_ptr<SimulatorControl> control_;
  Changes changes_;
  std::unique_ptr<Watches> watches_;
  std::unique_ptr<Traffic> traffic_;
  std::unique_ptr<RawObserver> raw_;
  std::unique_ptr<LibraryObserver> library_;
  pid_t pid_ = 0;
  int created_ = 0;
  std::vector<std::string> made_while_full_;
};

}  // namespace
}  // namespace ipp::faults

int main(int argc, char** argv) {
  const auto options = ipp::faults::ParseOptions({argv + 1, argv + argc});
  if (!options.ok()) {
    std::fprintf(stderr, "%s\n", std::string(options.status().message()).c_str());
    return 2;
  }
  ipp::faults::DiskFull disk_full(*options);
  const absl::Status status = disk_full.Run();
  if (status.ok()) return 0;
  std::printf("%s\n", status.ToString().c_str());
  disk_full.Keep();
  return 1;
}
