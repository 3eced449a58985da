// The end of the gRPC port, with callers that do not go by themselves.

#include <grpcpp/generic/generic_stub.h>

#include <chrono>
#include <memory>
#include <string>

#include "gmock/gmock.h"
#include "tests/rpc/stream_bed.h"

namespace ipp::rpc {
namespace {

using namespace fixtures;  // NOLINT: the words of these tests

// A call of a service of gRPC's own that stays open.
class OpenCall {
 public:
  OpenCall(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
           const std::string& request)
      : stub_(channel) {
    Prepare({}, &context_);
    call_ = stub_.PrepareCall(&context_, method, &queue_);
    call_->StartCall(this);
    EXPECT_TRUE(Done());
    const grpc::Slice slice(request);
    call_->Write(grpc::ByteBuffer(&slice, 1), this);
    EXPECT_TRUE(Done());
  }
  ~OpenCall() {
    context_.TryCancel();
    if (!ended_) End();
    queue_.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) {
    }
  }
  // The bytes of the next message; "end" at the end.
  std::string Next() {
    grpc::ByteBuffer buffer;
    call_->Read(&buffer, this);
    if (!Done()) return "end";
    grpc::Slice slice;
    EXPECT_TRUE(buffer.DumpToSingleSlice(&slice).ok());
    return {reinterpret_cast<const char*>(slice.begin()), slice.size()};
  }
  grpc::Status End() {
    ended_ = true;
    grpc::Status status;
    call_->Finish(&status, this);
    EXPECT_TRUE(Done());
    return status;
  }

 private:
  bool Done() {
    void* tag = nullptr;
    bool ok = false;
    EXPECT_TRUE(queue_.Next(&tag, &ok));
    return ok;
  }

  grpc::GenericStub stub_;
  grpc::ClientContext context_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call_;
  bool ended_ = false;
};

class Draining : public StreamBed {
 protected:
  // Longer than any machine takes, shorter than who waits in vain.
  void ExpectPrompt(absl::Duration limit) {
    const auto start = std::chrono::steady_clock::now();
    server_->Drain(limit);
    EXPECT_LT(absl::FromChrono(std::chrono::steady_clock::now() - start), limit / 3);
  }
};

constexpr char kServing[] = "\x08\x01";     // HealthCheckResponse.status
constexpr char kNotServing[] = "\x08\x02";  // the same

TEST_F(Draining, DoesNotWaitForWhoWatchesHealth) {
  Open();
  OpenCall watch(channel_, "/grpc.health.v1.Health/Watch", "");
  EXPECT_EQ(watch.Next(), kServing);
  ExpectPrompt(absl::Seconds(30));
  EXPECT_EQ(watch.Next(), kNotServing);
  EXPECT_EQ(watch.Next(), "end");
}

TEST_F(Draining, DoesNotWaitForWhoReadsReflection) {
  Open();
  const std::string list_services("\x3a\x00", 2);
  OpenCall reflection(channel_, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
                      list_services);
  EXPECT_THAT(reflection.Next(), testing::HasSubstr("kustom.ipp.v1.SessionEventService"));
  ExpectPrompt(absl::Seconds(30));
  EXPECT_EQ(reflection.Next(), "end");
}

TEST_F(Draining, StillWaitsForItsOwnCalls) {
  Append(3);
  Open();
  OpenCall watch(channel_, "/grpc.health.v1.Health/Watch", "");
  EXPECT_EQ(watch.Next(), kServing);
  replica_.HoldReads();
  Reply<v1::ListSessionEventsResponse> reply;
  std::thread caller([&] {
    reply = CallOver(channel_, &v1::SessionEventService::Stub::ListSessionEvents,
                     v1::ListSessionEventsRequest());
  });
  WaitUntil([this] { return replica_.waiting_reads() == 1; });
  std::thread drain([this] { server_->Drain(absl::Seconds(60)); });
  EXPECT_EQ(watch.Next(), kNotServing);
  // Longer than a drain looks at what is idle.
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(500);
  WaitUntil([end] { return std::chrono::steady_clock::now() > end; });
  replica_.ReleaseReads();
  caller.join();
  drain.join();
  EXPECT_TRUE(Ok(reply));
  EXPECT_EQ(reply.response.events_size(), 3);
  EXPECT_EQ(watch.Next(), "end");
}

}  // namespace
}  // namespace ipp::rpc
