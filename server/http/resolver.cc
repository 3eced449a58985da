#include "server/http/resolver.h"

#include <netdb.h>

#include <cstring>
#include <deque>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "server/base/mutex.h"
#include "server/base/this_thread.h"

namespace ipp::http {
namespace {

// `flags` as in addrinfo.
Resolver::Addresses Lookup(const std::string& host, const std::string& port, int flags) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | flags;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
  if (error != 0) {
    return absl::UnavailableError(
        absl::StrCat("upstream: cannot resolve ", host, ": ", gai_strerror(error)));
  }
  std::vector<SocketAddress> addresses;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    SocketAddress& address = addresses.emplace_back();
    std::memcpy(&address.address, one->ai_addr, one->ai_addrlen);
    address.size = one->ai_addrlen;
  }
  freeaddrinfo(found);
  return addresses;
}

}  // namespace

struct Resolver::State {
  struct Question {
    std::string host;
    std::string port;
    std::function<void(Addresses)> done;
  };

  void Run() {
    while (true) {
      Question question;
      {
        MutexLock lock(&mutex);
        while (questions.empty() && !stopping) changed.Wait(&mutex);
        if (stopping) return;
        question = std::move(questions.front());
        questions.pop_front();
      }
      Addresses addresses = Lookup(question.host, question.port, AI_ADDRCONFIG);
      MutexLock lock(&mutex);
      // Under the lock, so that no callback runs once the resolver has ended.
      if (!stopping) question.done(std::move(addresses));
    }
  }

  Mutex mutex;
  CondVar changed;
  std::deque<Question> questions ABSL_GUARDED_BY(mutex);
  bool started ABSL_GUARDED_BY(mutex) = false;
  bool stopping ABSL_GUARDED_BY(mutex) = false;
};

Resolver::Resolver() : state_(std::make_shared<State>()) {}

Resolver::~Resolver() {
  MutexLock lock(&state_->mutex);
  state_->stopping = true;
  state_->changed.SignalAll();
}

void Resolver::Resolve(const std::string& host, const std::string& port,
                       std::function<void(Addresses)> done) {
  if (Addresses addresses = Lookup(host, port, AI_NUMERICHOST); addresses.ok()) {
    return done(std::move(addresses));
  }
  MutexLock lock(&state_->mutex);
  state_->questions.push_back({host, port, std::move(done)});
  if (!state_->started) {
    state_->started = true;
    std::thread([state = state_] {
      NameThisThread("resolver");
      state->Run();
    }).detach();
  }
  state_->changed.SignalAll();
}

}  // namespace ipp::http
