// The driver of the C++ library: ../README.md has the orders.
#include "tests/packages/cpp/driver.h"

#include <google/protobuf/util/json_util.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <thread>
#include <vector>

namespace ipp::driver {

std::string Text(const Order& order, const std::string& name) {
  const auto found = order.fields().find(name);
  return found == order.fields().end() ? "" : found->second.string_value();
}

bool Flag(const Order& order, const std::string& name) {
  const auto found = order.fields().find(name);
  return found != order.fields().end() && found->second.bool_value();
}

double Number(const Order& order, const std::string& name) {
  const auto found = order.fields().find(name);
  return found == order.fields().end() ? 0 : found->second.number_value();
}

const Order& Part(const Order& order, const std::string& name) {
  const auto found = order.fields().find(name);
  return found == order.fields().end() ? Order::default_instance() : found->second.struct_value();
}

absl::Duration Timing(const Order& order, const std::string& name) {
  return absl::Seconds(Number(Part(order, "timing"), name));
}

void Require(bool holds, const std::string& what) {
  if (holds) return;
  std::cerr << "driver: " << what << std::endl;
  std::_Exit(1);
}

void ReadRequest(const Order& order, google::protobuf::Message* request) {
  std::string json;
  Require(google::protobuf::util::MessageToJsonString(Part(order, "request"), &json).ok(),
          "the request");
  Require(google::protobuf::util::JsonStringToMessage(json, request).ok(), json);
}

void Set(Answer* answer, const std::string& name, const std::string& text) {
  (*answer->mutable_fields())[name].set_string_value(text);
}

void Set(Answer* answer, const std::string& name, const std::vector<std::string>& list) {
  auto& values = *(*answer->mutable_fields())[name].mutable_list_value();
  for (const std::string& text : list) values.add_values()->set_string_value(text);
}

void Write(const Answer& answer) {
  static std::mutex writing;
  std::string line;
  Require(google::protobuf::util::MessageToJsonString(answer, &line).ok(), "an answer");
  const std::lock_guard<std::mutex> lock(writing);
  std::cout << line << std::endl;
}

void Note(const std::string& what, const std::string& event) {
  Answer note;
  Set(&note, "note", what);
  Set(&note, "event", event);
  Write(note);
}

std::string Raised(const grpc::Status& status) {
  if (status.ok()) return "";
  const client::Error error = client::DecodeError(status);
  return error.reason.empty() ? client::CodeName(error.code) : error.reason;
}

void Switch::Set(const std::function<void()>& action) {
  const std::lock_guard<std::mutex> lock(mutex_);
  action_ = action;
  if (on_ && action_) action_();
}

void Switch::TurnOn() {
  const std::lock_guard<std::mutex> lock(mutex_);
  on_ = true;
  changed_.notify_all();
  if (action_) action_();
}

void Switch::WaitFor(std::chrono::milliseconds limit) {
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait_for(lock, limit, [this] { return on_; });
}

namespace {

Answer Perform(Run* run) {
  const std::string what = Text(run->order, "do");
  if (what == "collect") return Collect(run);
  if (what == "follow") return Follow(run);
  Require(what == "consume", "an unknown order: " + what);
  return Consume(run);
}

std::shared_ptr<client::Connection> Connect(const Order& order) {
  client::ConnectionOptions options;
  options.address = Text(order, "address");
  options.keepalive_time = Timing(order, "keepalive");
  options.keepalive_timeout = Timing(order, "keepalive_answer");
  auto connection = client::Connection::Create(options);
  Require(connection.ok(), connection.status().ToString());
  return *std::move(connection);
}

int Main() {
  std::vector<std::thread> threads;
  std::shared_ptr<Run> run;
  for (std::string line; std::getline(std::cin, line);) {
    Order order;
    Require(google::protobuf::util::JsonStringToMessage(line, &order).ok(), line);
    const std::string what = Text(order, "do");
    if (what == "stop") {
      run->stop.TurnOn();
    } else if (what == "go") {
      run->go.TurnOn();
    } else {
      run = std::make_shared<Run>();
      run->order = order;
      run->connection = Connect(order);
      threads.emplace_back([run] { Write(Perform(run.get())); });
    }
  }
  for (std::thread& thread : threads) thread.join();
  return 0;
}

}  // namespace
}  // namespace ipp::driver

int main() { return ipp::driver::Main(); }
