#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <utility>

#include "simulator/http_server.h"

namespace ipp::simulator {

// One accepted connection, as its HttpServer knows it. It keeps itself alive while it waits for
// something, and calls `leave` at its end.
class ServerConnection {
 public:
  struct Settings {
    HttpServer::Options options;
    HttpServer::Hooks hooks;
  };
  using Leave = std::function<void(ServerConnection*)>;
  using SteadyTime = std::chrono::steady_clock::time_point;

  ServerConnection(std::shared_ptr<const Settings> settings, Leave leave)
      : settings_(std::move(settings)), leave_(std::move(leave)) {}
  virtual ~ServerConnection() { leave_(this); }
  ServerConnection(const ServerConnection&) = delete;
  ServerConnection& operator=(const ServerConnection&) = delete;

  // Closes it if it has moved no byte for the idle timeout.
  virtual void CloseIfIdle(SteadyTime now) = 0;
  // Closes it, before this returns, if it has no request under way. Returns whether it did.
  virtual bool CloseIfUnused() = 0;

 protected:
  void Touch() { last_activity_ = std::chrono::steady_clock::now(); }
  bool IdleAt(SteadyTime now) const {
    return now - last_activity_ >= settings_->options.idle_timeout;
  }
  const Settings& settings() const { return *settings_; }

 private:
  const std::shared_ptr<const Settings> settings_;
  const Leave leave_;
  SteadyTime last_activity_ = std::chrono::steady_clock::now();
};

}  // namespace ipp::simulator
