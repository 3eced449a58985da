// HTTP/2 with a handler in the test's hands: when it answers, and whom it outlives.

#include <nghttp2/nghttp2.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>

#include "simulator/http_server.h"
#include "simulator/tls_context.h"
#include "tests/simulator/h2_client.h"

namespace ipp::simulator {
namespace {

class SimulatorHttp2Server : public testing::Test {
 protected:
  ~SimulatorHttp2Server() override {
    loop_.stop();
    if (thread_.joinable()) thread_.join();
  }

  void Start(HttpServer::Options options) {
    std::string error;
    options.tls = MakeTlsContext(CertificateFile(), KeyFile(), &error);
    HttpServer::Hooks hooks;
    hooks.handle = [this](Request&, Responder respond) {
      const std::lock_guard lock(mutex_);
      responders_.push_back(std::move(respond));
      changed_.notify_all();
    };
    server_ = HttpServer::Listen(loop_, options, std::move(hooks), &error);
    ASSERT_NE(server_, nullptr) << error;
    thread_ = std::thread([this] { loop_.run(); });
  }

  void WaitForRequests(size_t count) {
    std::unique_lock lock(mutex_);
    ASSERT_TRUE(changed_.wait_for(lock, std::chrono::seconds(30),
                                  [&] { return responders_.size() >= count; }));
  }

  // On the loop, as a handler must; returns when it was done.
  void AnswerAll() {
    std::promise<void> done;
    boost::asio::post(loop_, [&] {
      std::vector<Responder> responders;
      {
        const std::lock_guard lock(mutex_);
        responders.swap(responders_);
      }
      for (const Responder& respond : responders) respond({});
      done.set_value();
    });
    done.get_future().wait();
  }

  boost::asio::io_context loop_{1};
  std::unique_ptr<HttpServer> server_;
  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Responder> responders_;
};

TEST_F(SimulatorHttp2Server, LetsAConnectionGoWhileItsHandlersArePending) {
  HttpServer::Options options;
  options.max_connections = 1;  // so that the second comes in only when the first has gone
  Start(options);
  {
    H2Client gone(server_->port());
    for (int i = 0; i < 5; ++i) gone.Send("GET", "/");
    WaitForRequests(5);
  }
  H2Client next(server_->port());
  const int32_t stream = next.Send("GET", "/");
  WaitForRequests(6);
  AnswerAll();
  EXPECT_EQ(next.Wait(stream).status, 200);
}

TEST_F(SimulatorHttp2Server, RefusesStreamsBeyondWhatItAnnounces) {
  HttpServer::Options options;
  options.max_streams = 2;
  Start(options);
  H2Client client(server_->port());  // has not read yet what it may do
  const int32_t first = client.Send("GET", "/");
  const int32_t second = client.Send("GET", "/");
  EXPECT_EQ(client.Wait(client.Send("GET", "/")).reset, NGHTTP2_REFUSED_STREAM);
  WaitForRequests(2);
  AnswerAll();
  EXPECT_EQ(client.Wait(first).status, 200);
  EXPECT_EQ(client.Wait(second).status, 200);
}

TEST_F(SimulatorHttp2Server, ForgetsNoHandlerOfAStreamThatWasReset) {
  Start({});
  H2Client client(server_->port());
  // Twice what may be open at once: what was reset still has its handler.
  for (size_t i = 1; i <= 200; ++i) {
    client.ResetStream(client.Send("GET", "/"));
    WaitForRequests(i);
  }
  EXPECT_EQ(client.Call("GET", "/").reset, NGHTTP2_REFUSED_STREAM);
  AnswerAll();
  const int32_t stream = client.Send("GET", "/");
  WaitForRequests(1);
  AnswerAll();
  EXPECT_EQ(client.Wait(stream).status, 200);
}

TEST_F(SimulatorHttp2Server, ClosesWhatIsIdleAndWaitsForHandlers) {
  HttpServer::Options options;
  options.idle_timeout = std::chrono::seconds(1);
  Start(options);
  H2Client busy(server_->port());
  const int32_t stream = busy.Send("GET", "/");
  WaitForRequests(1);
  H2Client idle(server_->port());
  Client silent(server_->port());
  EXPECT_TRUE(IsClosed(idle.WaitForEnd()));
  ASSERT_TRUE(idle.goaway());
  EXPECT_EQ(idle.goaway()->error, NGHTTP2_NO_ERROR);
  EXPECT_EQ(silent.ReadReply().status, 0);  // in the middle of the handshake
  EXPECT_FALSE(busy.goaway());
  AnswerAll();
  EXPECT_EQ(busy.Wait(stream).status, 200);
}

}  // namespace
}  // namespace ipp::simulator
