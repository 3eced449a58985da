#pragma once

#include <google/protobuf/message.h>
#include <google/protobuf/struct.pb.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "ippclient/ippclient.h"

// The parts of the driver: reading orders, writing answers, and one function an order. It uses the
// library's public headers alone.
namespace ipp::driver {

using Order = google::protobuf::Struct;
using Answer = google::protobuf::Struct;

// Something that is turned on once, from another thread.
class Switch {
 public:
  // `action` runs when it is turned on; at once if it is. Empty: none from now on.
  void Set(const std::function<void()>& action);
  void TurnOn();
  void WaitFor(std::chrono::milliseconds limit);

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool on_ = false;
  std::function<void()> action_;
};

struct Run {
  Order order;
  std::shared_ptr<client::Connection> connection;
  Switch stop;
  Switch go;
};

Answer Collect(Run* run);
Answer Follow(Run* run);
Answer Consume(Run* run);

// Of an order; empty, false or 0 where it is absent.
std::string Text(const Order& order, const std::string& name);
bool Flag(const Order& order, const std::string& name);
double Number(const Order& order, const std::string& name);
const Order& Part(const Order& order, const std::string& name);
absl::Duration Timing(const Order& order, const std::string& name);
void ReadRequest(const Order& order, google::protobuf::Message* request);

void Set(Answer* answer, const std::string& name, const std::string& text);
void Set(Answer* answer, const std::string& name, const std::vector<std::string>& list);
void Write(const Answer& answer);
void Note(const std::string& what, const std::string& event);
// The error's reason, or its code, or nothing.
std::string Raised(const grpc::Status& status);

// Ends the program with 1 if it does not hold.
void Require(bool holds, const std::string& what);

}  // namespace ipp::driver
