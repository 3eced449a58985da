#include "ippclient/payment.h"

#include <utility>

#include "client/collect_run.h"

namespace ipp::client {

Payment::Payment(std::shared_ptr<grpc::Channel> channel,
                 kustom::ipp::v1::CreateSessionRequest request, PaymentOptions options)
    : run_(std::make_unique<CollectRun>(std::move(channel), std::move(request),
                                        std::move(options))) {}

Payment::~Payment() = default;

const std::string& Payment::request_id() const { return run_->request_id(); }

PaymentResult Payment::Collect() { return run_->Collect(); }

void Payment::Cancel() { run_->Cancel(); }

}  // namespace ipp::client
