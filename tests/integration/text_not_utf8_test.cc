// Text that is not UTF-8 (Latin-1, say), in each field of text of each RPC's request, as bytes: a
// stub may refuse to send it. gRPC's generated code refuses it before any code of the gateway runs;
// docs/when-a-call-fails.md says what a caller sees.

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "google/protobuf/descriptor.h"
#include "kustom/ipp/v1/outcome.pb.h"
#include "kustom/ipp/v1/report.pb.h"
#include "kustom/ipp/v1/session.grpc.pb.h"
#include "kustom/ipp/v1/session_history.pb.h"
#include "kustom/ipp/v1/shared_subscription.pb.h"
#include "tests/integration/forbidden_bed.h"
#include "tests/support/grpc_version.h"

namespace ipp {
namespace {

namespace v1 = kustom::ipp::v1;
using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::FieldDescriptor;
using google::protobuf::MethodDescriptor;
using testing::Not;

using FieldPath = std::vector<const FieldDescriptor*>;

constexpr char kLatin1[] = "Kaf\xe9";
constexpr char kUtf8[] = "Kaf\xc3\xa9";

// Every way to a field of text in messages of `type`; a message within itself is followed once.
void AddTextFields(const Descriptor& type, const FieldPath& before, std::vector<FieldPath>* paths) {
  for (int i = 0; i < type.field_count(); ++i) {
    FieldPath path = before;
    path.push_back(type.field(i));
    if (type.field(i)->type() == FieldDescriptor::TYPE_STRING) paths->push_back(path);
    if (type.field(i)->type() != FieldDescriptor::TYPE_MESSAGE) continue;
    if (std::find(before.begin(), before.end(), type.field(i)) != before.end()) continue;
    AddTextFields(*type.field(i)->message_type(), path, paths);
  }
}

std::string Varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  return bytes + static_cast<char>(value);
}

// A message in which nothing but the field at the path's end is set.
std::string MessageWith(const FieldPath& path, std::string text) {
  constexpr int kLengthDelimited = 2;
  for (auto field = path.rbegin(); field != path.rend(); ++field) {
    text = absl::StrCat(Varint(static_cast<uint64_t>((*field)->number()) << 3 | kLengthDelimited),
                        Varint(text.size()), text);
  }
  return text;
}

std::string NameOf(const FieldPath& path) {
  return absl::StrJoin(path, ".", [](std::string* out, const FieldDescriptor* field) {
    absl::StrAppend(out, field->name());
  });
}

std::vector<const MethodDescriptor*> AllRpcs() {
  std::vector<const MethodDescriptor*> rpcs;
  for (const char* name : {"Device", "Enrollment", "Location", "Outcome", "Report", "Session",
                           "SessionEvent", "SessionHistory", "SharedSubscription", "Simulation"}) {
    const auto* service = DescriptorPool::generated_pool()->FindServiceByName(
        absl::StrCat("kustom.ipp.v1.", name, "Service"));
    EXPECT_NE(service, nullptr) << name;
    for (int i = 0; i < service->method_count(); ++i) rpcs.push_back(service->method(i));
  }
  return rpcs;
}

TEST(TextThatIsNotUtf8, IsRefusedInEachFieldOfEachRequest) {
  GatewayBed bed;
  const std::string refused = absl::StrCat(CodeOfRequestThatIsNone());
  size_t fields = 0;
  for (const MethodDescriptor* rpc : AllRpcs()) {
    std::vector<FieldPath> paths;
    AddTextFields(*rpc->input_type(), {}, &paths);
    const std::string name = absl::StrCat("/", rpc->service()->full_name(), "/", rpc->name());
    for (const FieldPath& path : paths) {
      SCOPED_TRACE(absl::StrCat(name, " ", NameOf(path)));
      EXPECT_EQ(CallRaw(bed.gateway.channel(), name, MessageWith(path, kLatin1), {}),
                rpc->server_streaming() ? "3 INVALID_REQUEST" : refused);
      ++fields;
    }
  }
  EXPECT_GT(fields, 80u);
  EXPECT_EQ(bed.simulator.Requests().size(), 0u);
}

// What the rows above rest on: with the same text as UTF-8 the gateway's own code has the request.
TEST(TextThatIsNotUtf8, WouldBeTakenAsUtf8) {
  GatewayBed bed;
  const std::string refused = absl::StrCat(CodeOfRequestThatIsNone());
  for (const MethodDescriptor* rpc : AllRpcs()) {
    std::vector<FieldPath> paths;
    AddTextFields(*rpc->input_type(), {}, &paths);
    if (rpc->server_streaming() || paths.empty()) continue;
    const std::string name = absl::StrCat("/", rpc->service()->full_name(), "/", rpc->name());
    EXPECT_NE(CallRaw(bed.gateway.channel(), name, MessageWith(paths[0], kUtf8), {}), refused)
        << name;
  }
}

// No ErrorInfo, no text, no trace; nobody is asked who calls, nothing is counted or in the audit.
TEST(TextThatIsNotUtf8, EndsAsThePageSays) {
  const auto names_the_field =
      testing::ContainsRegex("Protobuf says .*CreateSessionRequest\\.merchant_reference1");
  testing::internal::CaptureStderr();
  std::string log;
  {
    GatewayBed bed({.configure = [](const TestDirectory& directory, config::Config& config) {
      AddCaller(directory, "shop", {kMerchant}, {"*"}, &config);
    }});
    v1::CreateSessionRequest order;
    order.set_merchant_reference1(kLatin1);
    for (const char* caller : {"shop", "stranger"}) {
      const auto end = bed.Call(&v1::SessionService::Stub::CreateSession, order, AsCaller(caller));
      EXPECT_EQ(end.code, CodeOfRequestThatIsNone()) << caller;
      EXPECT_EQ(end.message, "") << caller;
      EXPECT_EQ(end.reason(), "") << caller;
      EXPECT_EQ(end.trailers.count("x-request-id"), 0u) << caller;
    }
    EXPECT_EQ(bed.gateway.Metric("grpc_server_started_total", {R"(grpc_method="CreateSession")"}),
              0);
    EXPECT_EQ(bed.gateway.Metric("grpc_server_handled_total", {R"(grpc_method="CreateSession")"}),
              0);
    EXPECT_EQ(bed.simulator.Requests().size(), 0u);

    v1::WatchSessionRequest watch;
    watch.set_session_id(kLatin1);
    v1::SessionService::Stub stub(bed.gateway.channel());
    grpc::ClientContext context;
    Prepare(AsCaller("shop"), &context);
    const auto reader = stub.WatchSession(&context, watch);
    const RpcEnd end = EndOf(reader->Finish(), context);
    EXPECT_TRUE(Refused(end, grpc::StatusCode::INVALID_ARGUMENT, "INVALID_REQUEST"));
    EXPECT_THAT(end.fields(), testing::ElementsAre("request"));
    log = testing::internal::GetCapturedStderr();
    // One line a second, if tests before this one have used up the five.
    const absl::Time late = absl::Now() + absl::Seconds(60);
    while (!testing::Matches(names_the_field)(log) && absl::Now() < late) {
      testing::internal::CaptureStderr();
      bed.Call(&v1::SessionService::Stub::CreateSession, order, AsCaller("shop"));
      log += testing::internal::GetCapturedStderr();
    }
  }
  EXPECT_THAT(log, names_the_field);
  EXPECT_THAT(log, Not(testing::HasSubstr("audit")));
}

}  // namespace
}  // namespace ipp
