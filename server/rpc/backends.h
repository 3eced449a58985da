#pragma once

#include "absl/time/time.h"
#include "server/auth/caller_table.h"
#include "server/base/clock.h"
#include "server/base/metrics.h"
#include "server/base/scheduler.h"
#include "server/base/tracer.h"
#include "server/creates/create_ledger.h"
#include "server/creates/create_waits.h"
#include "server/creates/restore_hold.h"
#include "server/events/event_hub.h"
#include "server/routes/route_table.h"
#include "server/sessions/read_observer.h"
#include "server/sessions/reconciler.h"
#include "server/sessions/session_recorder.h"
#include "server/shared/shared_hub.h"
#include "server/store/store.h"
#include "server/upstream/correlation.h"
#include "server/upstream/device_directory.h"
#include "server/upstream/upstream_client.h"

namespace ipp::rpc {

struct RpcOptions {
  absl::Duration default_deadline = absl::Seconds(30);  // for a call without a deadline
  absl::Duration heartbeat_interval = absl::Seconds(15);
  absl::Duration max_write_stall = absl::Seconds(30);
  absl::Duration max_stream_age = absl::Minutes(30);
  upstream::CorrelationField correlation = upstream::CorrelationField::kFirstEmpty;
  absl::Duration create_send_for = absl::Seconds(30);  // how long an unsent create is retried
  bool client_certificates = false;                    // callers may present one
  int64_t max_metadata_bytes = 8 * 1024;  // of a call: names, values and 32 bytes for each
  // Limits on open streams, including watches: in total, and per caller, so that a caller that
  // leaks streams does not use up the streams of the others. Without configured callers all clients
  // are the same caller, and the second limit does not apply.
  int max_subscribers = 10000;
  int max_subscribers_per_caller = 1000;
  int max_shared_subscriptions_per_caller = 100;
};

// What the RPCs depend on. All pointers are borrowed and must outlive the server.
struct Backends {
  const routes::RouteTable* routes;
  upstream::UpstreamClient* upstream;
  upstream::DeviceDirectory* devices;
  sessions::SessionRecorder* recorder;
  sessions::ReadObserver* observer;
  sessions::Reconciler* reconciler;
  creates::CreateLedger* ledger;
  creates::CreateWaits* create_waits;
  store::Store* store;
  events::EventHub* hub;
  shared::SharedHub* shared;
  const auth::CallerTable* callers;
  Clock* clock;
  Scheduler* scheduler;
  Metrics* metrics;
  RpcOptions options;
  creates::RestoreHold* restore_hold = nullptr;  // null: no create is ever held
  Tracer* tracer = nullptr;                      // null: no spans
};

}  // namespace ipp::rpc
