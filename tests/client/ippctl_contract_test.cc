#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/dynamic_message.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/support/proto_buffer_reader.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "kustom/ipp/v1/annotations.pb.h"
#include "server/base/mutex.h"
#include "tests/client/ippctl_run.h"

// Every RPC of the contract can be reached with all that its request can say.
namespace ipp::ippctl {
namespace {

namespace v1 = ::kustom::ipp::v1;
using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::MethodDescriptor;

struct Call {
  std::string method;  // "/kustom.ipp.v1.DeviceService/GetDevice"
  grpc::ByteBuffer request;
};

// Takes any call, keeps what was asked and answers UNIMPLEMENTED.
class AnyService final : public grpc::CallbackGenericService {
 public:
  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override {
    return new Reactor(this, context->method());
  }
  std::vector<Call> TakeCalls() {
    MutexLock lock(&mutex_);
    return std::exchange(calls_, {});
  }

 private:
  class Reactor final : public grpc::ServerGenericBidiReactor {
   public:
    Reactor(AnyService* service, std::string method) : service_(service) {
      call_.method = std::move(method);
      StartRead(&call_.request);
    }
    void OnReadDone(bool ok) override {
      if (ok) {
        MutexLock lock(&service_->mutex_);
        service_->calls_.push_back(std::move(call_));
      }
      Finish({grpc::StatusCode::UNIMPLEMENTED, "only looked at"});
    }
    void OnDone() override { delete this; }

   private:
    AnyService* const service_;
    Call call_;
  };

  Mutex mutex_;
  std::vector<Call> calls_ ABSL_GUARDED_BY(mutex_);
};

// What is set, as paths: "settings.name". Of messages that are not of the contract, only whether
// they are there.
void AddSetFields(const Message& message, const std::string& prefix, std::set<std::string>* paths) {
  const auto& reflection = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const std::string path = absl::StrCat(prefix, field->name());
    paths->insert(path);
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE || field->is_map()) continue;
    if (!field->is_repeated()) {
      AddSetFields(reflection.GetMessage(message, field), path + ".", paths);
      continue;
    }
    for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
      AddSetFields(reflection.GetRepeatedMessage(message, field, i), path + ".", paths);
    }
  }
}

// What can be set.
void AddFields(const Descriptor& type, const std::string& prefix, std::set<std::string>* paths) {
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    if (!field.options().GetExtension(v1::raw_of).empty()) continue;  // never sent
    paths->insert(absl::StrCat(prefix, field.name()));
    const bool ours = field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !field.is_map() &&
                      absl::StartsWith(field.message_type()->full_name(), "kustom.");
    if (ours) AddFields(*field.message_type(), absl::StrCat(prefix, field.name(), "."), paths);
  }
}

struct Line {
  std::vector<std::string> args;
  std::string input = "";
};

constexpr char kWholeSession[] = R"({
  "request_id": "r", "location_id": "l", "device_id": "d", "order_amount": 90,
  "order_tax_amount": 9, "purchase_currency": "SEK",
  "purchase_started_at": "2026-01-31T08:00:00Z", "purchase_completed_at": "2026-01-31T08:01:00Z",
  "order_items": [{"type": "ORDER_ITEM_TYPE_PHYSICAL", "reference": "SKU", "name": "Tea",
    "quantity": 1, "unit_price": 100, "total_amount": 90, "tax_rate": 1200,
    "total_discount_amount": 10, "total_tax_amount": 9}],
  "merchant_reference1": "A", "merchant_reference2": "B", "merchant_data": "C"})";

// By RPC, the command lines that together say all that its request can.
const std::map<std::string, std::vector<Line>>& Lines() {
  static const auto* const kLines = new std::map<std::string, std::vector<Line>>{
      {"ListDevices", {{{"devices", "list", "--location", "l", "--metadata", "a=b"}}}},
      {"GetDevice", {{{"devices", "get", "d"}}}},
      {"UpdateDevice",
       {{{"devices", "update", "d", "--name", "n", "--location", "l", "--metadata", "a=b"}}}},
      {"DeleteDevice", {{{"devices", "delete", "d"}}}},
      {"CreateEnrollment",
       {{{"enrollments", "create", "--ttl", "2h", "--location", "l", "--metadata", "a=b",
          "--request-id", "r"}},
        {{"enrollments", "create", "--expires-in", "1h"}}}},
      {"ListEnrollments",
       {{{"enrollments", "list", "--location", "l", "--metadata", "a=b", "--unused"}}}},
      {"DeleteEnrollment", {{{"enrollments", "delete", "e"}}}},
      {"ListLocations", {{{"locations", "list"}}}},
      {"GetLocation", {{{"locations", "get", "l"}}}},
      {"GetCreateOutcome", {{{"sessions", "outcomes", "--request-id", "r"}}}},
      {"ListCreateOutcomes",
       {{{"sessions", "outcomes", "--state", "unknown", "--only-merchant", "m"}}}},
      {"ListSessions", {{{"sessions",         "list",
                          "--only-merchant",  "m",
                          "--device",         "d",
                          "--location",       "l",
                          "--status",         "active",
                          "--reference",      "A",
                          "--reference2",     "B",
                          "--order",          "o",
                          "--request-id",     "r",
                          "--from",           "2026-01-31T08:00:00Z",
                          "--before",         "2026-01-31T09:00:00Z",
                          "--updated-from",   "2026-01-31T08:00:00Z",
                          "--updated-before", "2026-01-31T09:00:00Z"}}}},
      {"GetSessionHistory",
       {{{"sessions", "explain", "s"}}, {{"sessions", "explain", "--request-id", "r"}}}},
      {"GetDayReport",
       {{{"report", "day", "--date", "2026-01-31", "--time-zone", "Europe/Stockholm", "--device",
          "d"}}}},
      {"CreateSession", {{{"sessions", "create", "--from-json", "-"}, kWholeSession}}},
      {"GetSession", {{{"sessions", "get", "s"}}}},
      {"CancelSession", {{{"sessions", "cancel", "s"}}}},
      {"WatchSession",
       {{{"sessions", "watch", "s"}}, {{"sessions", "watch", "--request-id", "r"}}}},
      {"SubscribeSessionEvents",
       {{{"events", "tail", "--after", "c", "--skip-expired", "--session", "s", "--device", "d",
          "--type", "created", "--reference", "A", "--only-merchant", "m"}},
        {{"events", "tail", "--from", "oldest"}},
        {{"events", "tail", "--from", "2026-01-31T08:00:00Z"}}}},
      {"ListSessionEvents",
       {{{"events", "list", "--from", "2026-01-31T08:00:00Z", "--session", "s", "--device", "d",
          "--type", "created", "--reference", "A", "--only-merchant", "m"}}}},
      {"CreateSharedSubscription",
       {{{"subscriptions", "create", "n", "--after", "c", "--session", "s", "--device", "d",
          "--type", "created", "--reference", "A", "--only-merchant", "m", "--lease", "1m",
          "--max-attempts", "3"}},
        {{"subscriptions", "create", "n", "--from-oldest"}},
        {{"subscriptions", "create", "n", "--from-time", "2026-01-31T08:00:00Z"}}}},
      {"GetSharedSubscription", {{{"subscriptions", "describe", "n"}}}},
      {"ListSharedSubscriptions", {{{"subscriptions", "list"}}}},
      {"DeleteSharedSubscription", {{{"subscriptions", "delete", "n"}}}},
      {"ReceiveSessionEvents",
       {{{"events", "receive", "--subscription", "n", "--consumer", "c", "--skip-expired"}}}},
      {"ListParkedSessionEvents", {{{"subscriptions", "parked", "n"}}}},
      {"RedriveSessionEvents",
       {{{"subscriptions", "redrive", "n", "--all"}},
        {{"subscriptions", "redrive", "n", "--event", "e"}}}},
      {"DeleteParkedSessionEvents",
       {{{"subscriptions", "forget", "n", "--all"}},
        {{"subscriptions", "forget", "n", "--event", "e"}}}},
      {"CreateSimulatedDevice",
       {{{"simulate", "device", "--name", "n", "--location", "l", "--metadata", "a=b",
          "--request-id", "r"}}}},
      {"SimulateCardTap", {{{"simulate", "tap", "s", "--outcome", "lost-card"}}}},
  };
  return *kLines;
}

// Of every file of the contract: one that is new is looked for too.
std::vector<const MethodDescriptor*> Methods() {
  std::vector<const MethodDescriptor*> methods;
  const std::filesystem::path root = std::filesystem::path(IPP_TESTDATA) / "../../proto";
  for (const auto& entry : std::filesystem::directory_iterator(root / "kustom/ipp/v1")) {
    const std::string name = "kustom/ipp/v1/" + entry.path().filename().string();
    const auto* file = google::protobuf::DescriptorPool::generated_pool()->FindFileByName(name);
    if (file == nullptr) {
      ADD_FAILURE() << name << " is not linked: no command calls it";
      continue;
    }
    for (int s = 0; s < file->service_count(); ++s) {
      for (int m = 0; m < file->service(s)->method_count(); ++m) {
        methods.push_back(file->service(s)->method(m));
      }
    }
  }
  return methods;
}

class IppctlContract : public ::testing::TestWithParam<const MethodDescriptor*> {
 protected:
  IppctlContract() {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterCallbackGenericService(&service_);
    server_ = builder.BuildAndStart();
    address_ = absl::StrCat("127.0.0.1:", port);
  }
  ~IppctlContract() override { server_->Shutdown(); }

  AnyService service_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

TEST_P(IppctlContract, IsReachedWithAllThatItsRequestCanSay) {
  const MethodDescriptor& method = *GetParam();
  // Settles what a stream has delivered: tests/e2e/ippctl_shared.py.
  if (method.name() == "SettleSessionEvents") return;
  const auto lines = Lines().find(std::string(method.name()));
  ASSERT_NE(lines, Lines().end()) << "no command calls " << method.full_name();

  std::set<std::string> said;
  for (const Line& line : lines->second) {
    RunAt(address_, line.args, line.input);
    const std::vector<Call> calls = service_.TakeCalls();
    ASSERT_EQ(calls.size(), 1u) << line.args[1];
    EXPECT_EQ(calls[0].method,
              absl::StrCat("/", method.service()->full_name(), "/", method.name()));
    google::protobuf::DynamicMessageFactory factory;
    const std::unique_ptr<Message> request(factory.GetPrototype(method.input_type())->New());
    grpc::ByteBuffer buffer = calls[0].request;
    grpc::ProtoBufferReader reader(&buffer);
    ASSERT_TRUE(request->ParseFromZeroCopyStream(&reader));
    AddSetFields(*request, "", &said);
  }
  std::set<std::string> sayable;
  AddFields(*method.input_type(), "", &sayable);
  // A watch prints no heartbeats; how often they come is no matter of a person's.
  if (method.name() == "WatchSession" || method.name() == "ReceiveSessionEvents") {
    sayable.erase("heartbeat_interval");
  }
  // In answers only.
  std::erase_if(sayable, [](const std::string& path) {
    return path == "subscription.merchant_ids" || path == "subscription.created_at" ||
           path == "subscription.last_used_at" || absl::StartsWith(path, "subscription.counts");
  });
  sayable.erase("page_token");  // pages are followed: IppctlTest.ListsDevicesOverPages and others
  for (const std::string& path : sayable) {
    EXPECT_TRUE(said.contains(path)) << method.name() << " has " << path << ", no flag sets it";
  }
}

INSTANTIATE_TEST_SUITE_P(All, IppctlContract, ::testing::ValuesIn(Methods()),
                         [](const auto& info) { return std::string(info.param->name()); });

TEST(IppctlContractTable, HasNoRpcThatTheContractLacks) {
  std::set<std::string> names;
  for (const MethodDescriptor* method : Methods()) names.emplace(method->name());
  for (const auto& [name, lines] : Lines()) EXPECT_TRUE(names.contains(name)) << name;
}

}  // namespace
}  // namespace ipp::ippctl
