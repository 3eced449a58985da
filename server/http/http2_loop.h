#pragma once

#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "server/http/http2_call.h"
#include "server/http/http2_connection.h"

namespace ipp::http {

// One thread with its connections. Everything except Post() and Stop() happens on that thread, or
// on one that has its turn (LoopInbox); completions run on that thread alone.
//
// A turn reads what has come, runs the completions, takes the new requests (those that the
// completions made, too), and sends what all of them have to send in one write a connection.
class Http2Loop final : private Http2Connection::Owner {
 public:
  explicit Http2Loop(Http2Shared* shared);
  // Stop() must have been called before. Waits until each `done` has run.
  ~Http2Loop() override;
  Http2Loop(const Http2Loop&) = delete;
  Http2Loop& operator=(const Http2Loop&) = delete;

  // False if the loop has ended. `alone`: no other request of the transport is under way. Then the
  // calling thread sends it, if the loop sleeps; with others, one write for all of them is cheaper.
  bool Post(const std::shared_ptr<Http2Call>& call, bool alone);
  void Stop() { inbox_->Stop(); }

 private:
  void OnEnded(Http2Call* call, HttpResult result, bool repeatable) override;

  void Run();
  // Starts or cancels the calls of `batch`, then clears it.
  void TakeOrders(std::vector<Http2Order>* batch);
  void Start(std::shared_ptr<Http2Call> call);
  void Cancel(Http2Call* call);
  void OnAddresses(const Resolver::Addresses& addresses);
  void EndDue();
  SteadyTime EndDue(const Http2CallList& calls);
  void EndAll();
  // Does what is due on the connections; sees to those that have ended.
  void Tend();
  void OnFailedOpening(const absl::Status& error);
  // Gives waiting calls to connections, and opens one if there is no room.
  void Assign();
  void OpenConnection();
  void HandOver(Http2Call* call);
  void HandOverAll();
  // Ends a call that waits.
  void EndWaiting(Http2Call* call, absl::Status status);
  void Complete(std::shared_ptr<Http2Call> call, HttpResult result);
  void RunCompletions();
  void ShowInFlight();
  void FlushAll();
  // When the loop is needed next.
  SteadyTime NextTime() const;
  void Wait();

  Http2Shared* const shared_;
  const int epoll_;
  const std::shared_ptr<Http2Inbox> inbox_;
  const std::chrono::nanoseconds mutation_limit_;
  Http2Turn turn_;
  std::vector<std::unique_ptr<Http2Connection>> connections_;
  Http2CallList waiting_;
  // Completions run between, not inside, the work on connections.
  std::vector<std::pair<std::shared_ptr<Http2Call>, HttpResult>> ended_;
  // No call is due before this time. The value may be too early but never too late, so calls that
  // end in time, as nearly all do, cost nothing here.
  SteadyTime earliest_due_ = SteadyTime::max();
  SteadyTime next_opening_;  // no connection is opened before, after one has failed
  // How long it sleeps, or slept last. A later time is planned only when this has come: otherwise
  // each request on an idle connection would need the loop earlier than the one before had left it.
  SteadyTime sleeps_until_;
  bool hands_over_ = false;  // to libcurl
  std::thread thread_;
};

}  // namespace ipp::http
