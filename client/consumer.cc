#include "ippclient/consumer.h"

#include <utility>

#include "client/consume_run.h"

namespace ipp::client {

Delivery::Delivery(std::shared_ptr<Lease> lease, Settler* settler)
    : lease_(std::move(lease)), settler_(*settler) {}

const kustom::ipp::v1::SessionEvent& Delivery::event() const { return lease_->leased.event(); }

int Delivery::attempt() const { return lease_->leased.attempt(); }

bool Delivery::redriven() const { return lease_->leased.redriven(); }

bool Delivery::lease_lost() const { return settler_.IsLost(*lease_); }

bool Delivery::WaitLost(absl::Duration limit) const { return settler_.WaitLost(*lease_, limit); }

bool Delivery::Check() { return settler_.Check(lease_); }

Consumer::Consumer(std::shared_ptr<grpc::Channel> channel, Options options)
    : run_(std::make_unique<ConsumeRun>(std::move(channel), std::move(options))) {}

Consumer::~Consumer() {
  Cancel();
  Wait();
}

grpc::Status Consumer::Run(const Handler& handler) { return run_->Run(handler); }

void Consumer::Start(Handler handler) {
  thread_ = std::thread([this, handler = std::move(handler)] { ended_ = run_->Run(handler); });
}

grpc::Status Consumer::Wait() {
  if (thread_.joinable()) thread_.join();
  return ended_;
}

void Consumer::Cancel() { run_->Cancel(); }

}  // namespace ipp::client
