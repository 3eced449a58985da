#pragma once

#include <poll.h>
#include <sys/eventfd.h>

#include <list>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "gtest/gtest.h"
#include "server/base/mutex.h"
#include "tests/support/http_socket.h"

namespace ipp::http {

// A TCP relay on loopback that can cut what goes through it, so that a TLS front (which would say
// goodbye politely) can be made to vanish. One thread. Thread-safe.
class HttpRelay {
 public:
  enum class Cut { kReset, kClose };

  explicit HttpRelay(int to_port)
      : to_port_(to_port), wake_(eventfd(0, EFD_CLOEXEC)), thread_([this] { Run(); }) {}

  ~HttpRelay() {
    Tell([this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { stopping_ = true; });
    thread_.join();
  }

  int port() const { return port_; }
  // How many connections came in.
  size_t accepted() const {
    MutexLock lock(&mutex_);
    return accepted_;
  }
  // Ends every connection; returns when that is done. With `deaf`, no new one is taken either:
  // connections are refused.
  void CutAll(Cut how, bool deaf = false) {
    Tell([this, how, deaf]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      cut_ = true;
      how_ = how;
      deaf_ = deaf_ || deaf;
    });
    MutexLock lock(&mutex_);
    while (cut_) changed_.Wait(&mutex_);
  }
  // From now on nothing goes through, and no connection ends: as when a peer has lost its network.
  void Freeze() {
    Tell([this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { frozen_ = true; });
  }

 private:
  struct Pair {
    Fd client;
    Fd server;  // invalid: half closed, what still comes from the client is thrown away
  };

  template <typename F>
  void Tell(F change) {
    {
      MutexLock lock(&mutex_);
      change();
    }
    const uint64_t one = 1;
    EXPECT_EQ(write(wake_.get(), &one, sizeof(one)), static_cast<ssize_t>(sizeof(one)));
  }

  void Run() {
    std::list<Pair> pairs;
    while (Obey(pairs)) {
      const bool frozen = IsFrozen();
      std::vector<pollfd> fds{{wake_.get(), POLLIN, 0}, {listener_.fd.get(), POLLIN, 0}};
      for (const Pair& pair : pairs) {  // poll ignores -1
        fds.push_back({frozen ? -1 : pair.client.get(), POLLIN, 0});
        fds.push_back({frozen ? -1 : pair.server.get(), POLLIN, 0});
      }
      if (poll(fds.data(), fds.size(), -1) < 0) continue;
      if (fds[0].revents != 0) {
        uint64_t count = 0;
        EXPECT_GT(read(wake_.get(), &count, sizeof(count)), 0);
      }
      size_t i = 2;
      for (auto it = pairs.begin(); it != pairs.end(); i += 2) {
        const bool alive = (fds[i].revents == 0 || Copy(it->client, it->server)) &&
                           (fds[i + 1].revents == 0 || Copy(it->server, it->client));
        it = alive ? std::next(it) : pairs.erase(it);
      }
      if (fds[1].revents != 0) Accept(pairs);
    }
  }

  bool IsFrozen() const {
    MutexLock lock(&mutex_);
    return frozen_;
  }

  // False when it is time to stop.
  bool Obey(std::list<Pair>& pairs) {
    MutexLock lock(&mutex_);
    if (deaf_) listener_.fd.reset();
    if (cut_) {
      for (auto it = pairs.begin(); it != pairs.end();) {
        if (how_ == Cut::kReset) {
          SetResetOnClose(it->client.get());
          it = pairs.erase(it);
        } else {
          // Closing with something unread would send RST.
          shutdown(it->client.get(), SHUT_WR);
          it->server.reset();
          ++it;
        }
      }
      cut_ = false;
      changed_.SignalAll();
    }
    return !stopping_;
  }

  void Accept(std::list<Pair>& pairs) {
    Pair pair{Fd(accept4(listener_.fd.get(), nullptr, nullptr, SOCK_CLOEXEC)), Connect(to_port_)};
    if (!pair.client.valid() || !pair.server.valid()) return;
    SetNoDelay(pair.client.get());
    SetNoDelay(pair.server.get());
    pairs.push_back(std::move(pair));
    MutexLock lock(&mutex_);
    ++accepted_;
  }

  static bool Copy(const Fd& from, const Fd& to) {
    char chunk[64 * 1024];
    const ssize_t n = recv(from.get(), chunk, sizeof(chunk), 0);
    if (n <= 0) return false;
    return !to.valid() || WriteAll(to.get(), {chunk, static_cast<size_t>(n)});
  }

  const int to_port_;
  Listener listener_;
  const int port_ = listener_.port;
  const Fd wake_;
  mutable Mutex mutex_;
  CondVar changed_;
  size_t accepted_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool cut_ ABSL_GUARDED_BY(mutex_) = false;
  bool frozen_ ABSL_GUARDED_BY(mutex_) = false;
  bool deaf_ ABSL_GUARDED_BY(mutex_) = false;
  Cut how_ ABSL_GUARDED_BY(mutex_) = Cut::kReset;
  std::thread thread_;
};

}  // namespace ipp::http
