#pragma once

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "ippclient/connection.h"
#include "kustom/ipp/v1/session.grpc.pb.h"
#include "tests/faults/plan.h"
#include "tests/faults/simulator_process.h"
#include "tests/faults/traffic.h"
#include "tests/faults/watches.h"

namespace ipp::faults {

// What a plan's create asks for, without its request_id.
kustom::ipp::v1::CreateSessionRequest OrderOf(const MerchantKey& merchant,
                                              const std::string& reference);

// Lives out one plan after the other. Says every id in any letter case. One thread.
class TrafficWorker {
 public:
  TrafficWorker(const SimulatorProcess& simulator, const std::vector<std::string>& gateways,
                Watches* watches, TrafficNotes* notes, uint64_t seed);

  void Live(const NamedPlan& plan);

 private:
  using Stub = kustom::ipp::v1::SessionService::Stub;

  // Empty: no session that is known here came of it.
  std::string Create(const NamedPlan& plan);
  std::string CreateThroughGateway(const NamedPlan& plan);
  // False: the plan cannot go on.
  bool Take(PlanStep step, const MerchantKey& merchant, const std::string& session_id);
  bool CancelThroughGateway(const MerchantKey& merchant, const std::string& session_id);
  void ReadThroughGateway(const MerchantKey& merchant, const std::string& session_id);
  // OK, or a call that a kill can cut; complains of everything else.
  bool Explained(const grpc::Status& status, const std::string& call);
  // At any gateway, by chance.
  Stub* StubFor(const MerchantKey& merchant);

  const std::vector<MerchantKey>& merchants_;
  Watches* const watches_;
  TrafficNotes* const notes_;
  std::mt19937_64 random_;
  SimulatorControl simulator_;
  // By merchant, then gateway.
  std::vector<std::vector<std::shared_ptr<client::Connection>>> connections_;
  std::vector<std::vector<std::unique_ptr<Stub>>> stubs_;
};

}  // namespace ipp::faults
