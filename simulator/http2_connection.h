#pragma once

#include <array>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>

#include "simulator/http2_session.h"
#include "simulator/server_connection.h"
#include "simulator/wire.h"

namespace ipp::simulator {

// HTTP/2 on one connection: moves the bytes of an Http2Session, passes its requests to the handler,
// and ends as the answers say. While the peer does not read what it is sent, nothing more is read
// from it.
//
// Requests whose peer has gone stay with their handlers, and keep only themselves alive.
class Http2Connection final : public ServerConnection,
                              private Http2Session::Host,
                              public std::enable_shared_from_this<Http2Connection> {
 public:
  Http2Connection(std::unique_ptr<Wire> wire, int number, std::shared_ptr<const Settings> settings,
                  Leave leave);

  void Start() { Flush(); }
  void CloseIfIdle(SteadyTime now) override;
  bool CloseIfUnused() override;

 private:
  using ErrorCode = boost::system::error_code;
  using Stream = Http2Session::Stream;

  // The stages of a connection, in this order.
  enum class Stage {
    kServing,
    kFlushing,  // pending bytes of the session are sent, then the connection is closed
    kStopping,  // the write under way is the last
    kOver,      // closed on our side, or gone
  };

  Admission OnHead(Stream& stream) override;
  void OnRequest(std::shared_ptr<Stream> stream) override;
  void OnGone(Stream& stream) override;
  void OnCut() override { End(Stage::kFlushing); }

  void Answer(const std::shared_ptr<Stream>& stream, Response response);
  void AnswerSlowly(const std::shared_ptr<Stream>& stream, Response response);
  void Dribble(const std::shared_ptr<Stream>& stream, size_t piece,
               std::chrono::milliseconds pause);
  void Flush();
  void Read();
  void OnRead(ErrorCode error, size_t count);
  void OnWritten(ErrorCode error);
  void End(Stage stage);
  void SayGoodbye();
  void Drop();

  const std::unique_ptr<Wire> wire_;
  Http2Session session_;
  std::array<char, 16 * 1024> input_;
  std::string output_;
  std::unordered_map<int32_t, boost::asio::steady_timer> pacers_;  // of slow answers, by stream
  size_t in_hand_ = 0;  // requests with a handler (also of ended streams), and silent ones
  Stage stage_ = Stage::kServing;
  bool reading_ = false;
  bool writing_ = false;
  bool receiving_ = false;  // the session is, and must not send
};

}  // namespace ipp::simulator
