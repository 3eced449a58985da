#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kustom/ipp/v1/session.grpc.pb.h"
#include "kustom/ipp/v1/session_event.grpc.pb.h"
#include "tests/support/gateway_rpc.h"

namespace ipp {

// A subscription over a channel, read when a test asks. The first message has been read when the
// constructor returns, so what happens afterwards is not missed.
class EventFeed {
 public:
  using Message = kustom::ipp::v1::SubscribeSessionEventsResponse;

  EventFeed(const std::shared_ptr<grpc::Channel>& channel,
            const kustom::ipp::v1::SubscribeSessionEventsRequest& request,
            const CallOptions& options = {});
  // The request as text.
  EventFeed(const std::shared_ptr<grpc::Channel>& channel, const std::string& request,
            const CallOptions& options = {});
  ~EventFeed();

  // What `started` said; empty when the stream was refused.
  const kustom::ipp::v1::SubscriptionStarted& started() const { return started_; }
  // Waits for it; nothing at the stream's end.
  std::optional<Message> Next();
  // The next event, whatever heartbeats come before; fails the test when there is none.
  kustom::ipp::v1::SessionEvent NextEvent();
  // The types of the next `count` events, without their prefix.
  std::vector<std::string> NextTypes(int count);
  // Reads to the end.
  RpcEnd End();
  // The last one seen.
  const std::string& cursor() const { return cursor_; }
  void Cancel() { context_.TryCancel(); }

 private:
  kustom::ipp::v1::SessionEventService::Stub stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<Message>> reader_;
  kustom::ipp::v1::SubscriptionStarted started_;
  std::string cursor_;
  bool ended_ = false;
};

// "FINALIZED" for SESSION_EVENT_TYPE_FINALIZED.
std::string ShortName(kustom::ipp::v1::SessionEventType type);
std::string ShortName(kustom::ipp::v1::SessionStatus status);

// A watched session.
class SessionWatch {
 public:
  SessionWatch(const std::shared_ptr<grpc::Channel>& channel,
               const kustom::ipp::v1::WatchSessionRequest& request,
               const CallOptions& options = {});
  ~SessionWatch();

  // The status of the next message that is no heartbeat, "PAYMENT_FAILED lost_card" for a failed
  // attempt, "end" at the end.
  std::string NextStep();
  // The next message of any kind; nothing at the end.
  std::optional<kustom::ipp::v1::WatchSessionResponse> NextMessage();
  const kustom::ipp::v1::Session& session() const { return last_.session(); }
  RpcEnd End();
  void Cancel() { context_.TryCancel(); }

 private:
  kustom::ipp::v1::SessionService::Stub stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<kustom::ipp::v1::WatchSessionResponse>> reader_;
  kustom::ipp::v1::WatchSessionResponse last_;
  bool ended_ = false;
};

}  // namespace ipp
