// What peers can pour into the gRPC port: frames, fields, calls, messages. It must end, cost
// little, and somebody who calls beside them must not notice.

#include <fstream>
#include <functional>
#include <ostream>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "gmock/gmock.h"
#include "kustom/ipp/v1/session.grpc.pb.h"
#include "tests/integration/port_bed.h"
#include "tests/support/grpc_version.h"

namespace ipp {
namespace {

namespace v1 = kustom::ipp::v1;
using http2::Begin;
using http2::Field;
using http2::Frame;
using http2::Message;
using http2::Peer;
using testing::AnyOf;
using testing::HasSubstr;
using testing::Not;

// More than any of them may get rid of.
constexpr size_t kMost = 256 << 20;

struct Flood {
  const char* name;
  std::function<std::string(uint32_t round)> said;
  size_t rounds;
  bool ended;           // by the server
  const char* refused;  // counted with this reason; empty: not
  // How gRPC 1.83 differs.
  const char* refused_later = refused;
  bool takes_most_later = false;  // before it ends
};

void PrintTo(const Flood& row, std::ostream* out) { *out << row.name; }

class Floods : public testing::TestWithParam<std::tuple<bool, Flood>> {};

TEST_P(Floods, EndOrAreBorneAndHarmNobody) {
  const auto& [tls, row] = GetParam();
  PortBed bed(tls, [](config::Config& config) { config.mutable_connections()->set_max_calls(50); });
  Bystander bystander(&bed);
  {
    Peer peer = bed.NewPeer();
    ASSERT_TRUE(peer.Open());
    size_t sent = 0;
    bool alive = true;
    for (uint32_t round = 0; alive && round < row.rounds && sent < kMost; ++round) {
      const std::string bytes = row.said(round);
      alive = peer.Send(bytes);
      sent += bytes.size();
    }
    if (IsGrpc151() || !row.takes_most_later) {
      EXPECT_LT(sent, kMost) << "it can go on for ever";
    }
    if (row.ended && alive) {
      EXPECT_TRUE(peer.WaitForClose());
    }
    bystander.ExpectServed();
  }
  bed.WaitForConnections(1);
  for (const char* reason : {"too_many", "no_descriptors", "unanswered"}) {
    const std::string refused = IsGrpc151() ? row.refused : row.refused_later;
    EXPECT_EQ(bed.Refused(reason), refused == reason ? 1 : 0) << reason;
  }
  bystander.ExpectUnharmed();
}

uint32_t Stream(uint32_t round) { return 2 * round + 1; }

// A call's head that does not end.
std::string BeginWithoutEnd() { return Frame(http2::kHeaders, 0, 1, http2::CallFields()); }

std::string SmallFields(uint32_t round) {
  static const std::string* const kMany = [] {
    auto* many = new std::string;
    for (int i = 0; i < 500; ++i) *many += Frame(http2::kContinuation, 0, 1, Field("k", "v"));
    return many;
  }();
  return round == 0 ? BeginWithoutEnd() : *kMany;
}

std::string HugeField(uint32_t round) {
  if (round > 0) return Frame(http2::kContinuation, 0, 1, std::string(16'000, 'x'));
  return Frame(http2::kHeaders, 0, 1,
               absl::StrCat(std::string(1, '\0'), http2::PackString("k", 1),
                            http2::PackString("v", 1 << 30)));
}

std::string Reset(uint32_t round) {
  return absl::StrCat(Begin(Stream(round)),
                      Frame(http2::kReset, 0, Stream(round), http2::BigEndian(8, 4)));
}

std::string ResetOfAWholeCall(uint32_t round) {
  return absl::StrCat(Begin(Stream(round)), Frame(http2::kData, 0, Stream(round), Message("", 0)),
                      Frame(http2::kReset, 0, Stream(round), http2::BigEndian(8, 4)));
}

INSTANTIATE_TEST_SUITE_P(
    Rows, Floods,
    testing::Combine(
        testing::Bool(),
        testing::Values(
            Flood{"OfSmallFields", SmallFields, kMost, true, "unanswered"},
            // gRPC 1.83 keeps nothing of a field that is too large, and reads faster than we look.
            Flood{"OfOneHugeField", HugeField, kMost, true, "unanswered", "unanswered",
                  /*takes_most_later=*/true},
            Flood{"OfPings", [](uint32_t) { return Frame(http2::kPing, 0, 0, "12345678"); }, kMost,
                  true, ""},
            Flood{"OfSettings",
                  [](uint32_t) { return Frame(http2::kSettings, 0, 0, http2::Setting(4, 65535)); },
                  10'000, false, ""},
            Flood{"OfResets", Reset, 2'000, false, ""},
            // CVE-2023-32732: gRPC 1.51 ends the whole connection for it, at its next call.
            Flood{"OfMalformedBinaryFields",
                  [](uint32_t round) { return Begin(Stream(round), Field("a-bin", "!")); }, kMost,
                  true, "", "unanswered"},
            Flood{"OfCallsMoreThanAllowed", [](uint32_t round) { return Begin(Stream(round)); },
                  kMost, true, "", "unanswered"})),
    [](const auto& info) {
      return absl::StrCat(std::get<1>(info.param).name, std::get<0>(info.param) ? "Tls" : "");
    });

// gRPC 1.51 holds a peer to its limit of calls only once it has acknowledged it. What stops one
// that does not comes late: while gRPC ends its calls, others may have to wait.
TEST(GrpcFloods, OfCallsByOneWhoDoesNotAcknowledgeTheirLimitEnd) {
  PortBed bed;
  {
    Peer peer = bed.NewPeer();
    ASSERT_TRUE(peer.Send(absl::StrCat(http2::kPreface, Frame(http2::kSettings, 0, 0))));
    size_t sent = 0;
    for (uint32_t round = 0; sent < kMost && peer.Send(Begin(Stream(round))); ++round) {
      sent += Begin(Stream(round)).size();
    }
    EXPECT_LT(sent, kMost) << "it can go on for ever";
  }
  bed.WaitForConnections(0);
  EXPECT_EQ(bed.Refused("unanswered"), 1);
  EXPECT_EQ(bed.RequestsUpstream(), 0);
  EXPECT_TRUE(Ok(CallOver(bed.Connect(), &v1::LocationService::Stub::ListLocations,
                          v1::ListLocationsRequest(), {.timeout = absl::Minutes(2)})));
}

// They reach the RPC, and what it asks Kustom for; so the bystander's count of that does not hold.
TEST(GrpcFloods, OfCallsThatAreTakenBackHarmNobody) {
  PortBed bed;
  {
    Peer peer = bed.NewPeer();
    ASSERT_TRUE(peer.Open());
    for (uint32_t round = 0; round < 1000; ++round) {
      if (!peer.Send(ResetOfAWholeCall(round))) break;
    }
    EXPECT_TRUE(Ok(CallOver(bed.Connect(), &v1::LocationService::Stub::ListLocations,
                            v1::ListLocationsRequest())));
  }
  bed.WaitForConnections(0);
  bed.gateway().WaitForMetric("ipp_upstream_in_flight", 0);
}

struct LargeHead {
  const char* name;
  std::function<std::string()> fields;  // beside those of a call
  std::string path = "/no/such";
};

void PrintTo(const LargeHead& row, std::ostream* out) { *out << row.name; }

// A head of any size, in as many frames as it takes.
std::string BeginInFrames(std::string fields) {
  std::string frames;
  do {
    const std::string part = fields.substr(0, 16'000);
    fields.erase(0, part.size());
    frames += Frame(frames.empty() ? http2::kHeaders : http2::kContinuation,
                    fields.empty() ? http2::kEndHeaders : 0, 1, part);
  } while (!fields.empty());
  return frames;
}

class LargeHeads : public testing::TestWithParam<std::tuple<bool, LargeHead>> {};

TEST_P(LargeHeads, AreRefusedAndHarmNobody) {
  const auto& [tls, row] = GetParam();
  PortBed bed(tls);
  Bystander bystander(&bed);
  {
    Peer peer = bed.NewPeer();
    ASSERT_TRUE(peer.Open());
    ASSERT_TRUE(peer.Send(absl::StrCat(BeginInFrames(http2::CallFields(row.path) + row.fields()),
                                       Frame(http2::kData, http2::kEndStream, 1, Message("", 0)))));
    // gRPC 1.51 counts what it has read at once: of a head that comes in pieces it may let more
    // pass, and then there is no such method. RESOURCE_EXHAUSTED or UNIMPLEMENTED. Later ones look
    // at a value as soon as they have it: INTERNAL.
    EXPECT_THAT(peer.WaitForEnd(1),
                AnyOf(HasSubstr("metadata size exceeds"),
                      HasSubstr("grpc-status\x02"
                                "12"),
                      HasSubstr(IsGrpc151() ? "metadata size exceeds" : "Error parsing '")));
  }
  bed.WaitForConnections(1);
  bystander.ExpectUnharmed();
}

std::string ManyFields() {
  std::string fields;
  for (int i = 0; i < 3000; ++i) fields += Field(absl::StrCat("k", i), "v");
  return fields;
}

INSTANTIATE_TEST_SUITE_P(
    Rows, LargeHeads,
    testing::Combine(
        testing::Bool(),
        testing::Values(
            LargeHead{"OfManyFields", ManyFields},
            LargeHead{"OfAHugeField", [] { return Field("k", std::string(100'000, 'v')); }},
            LargeHead{"OfAHugeToken",
                      [] { return Field("authorization", "Bearer " + std::string(9'000, 't')); }},
            LargeHead{"OfAHugePath", [] { return std::string(); }, "/" + std::string(12'000, 'p')},
            // CVE-2023-1428: such a field before too many others made some versions of gRPC abort.
            LargeHead{"WithAnOddTe", [] { return Field("te", "x") + ManyFields(); }},
            LargeHead{"WithAnOddScheme", [] { return Field(":scheme", "x") + ManyFields(); }},
            LargeHead{"WithBalancerStatistics",
                      [] { return Field("grpclb_client_stats", "x") + ManyFields(); }})),
    [](const auto& info) {
      return absl::StrCat(std::get<1>(info.param).name, std::get<0>(info.param) ? "Tls" : "");
    });

// In KiB, of this process; the highest since it was forgotten.
int64_t PeakMemory() {
  std::ifstream status("/proc/self/status");
  std::string line;
  while (std::getline(status, line)) {
    absl::string_view rest = line;
    int64_t kib = 0;
    if (absl::ConsumePrefix(&rest, "VmHWM:") && absl::ConsumeSuffix(&rest, " kB") &&
        absl::SimpleAtoi(rest, &kib)) {
      return kib;
    }
  }
  ADD_FAILURE() << "no VmHWM";
  return 0;
}
void ForgetPeakMemory() { std::ofstream("/proc/self/clear_refs") << "5"; }

// What `command` writes.
std::string Output(const char* command) {
  FILE* const pipe = popen(command, "r");
  std::string out;
  char bytes[4096];
  for (size_t n; (n = fread(bytes, 1, sizeof(bytes), pipe)) > 0;) out.append(bytes, n);
  EXPECT_EQ(pclose(pipe), 0) << command;
  return out;
}

// gRPC unpacks a whole message before it looks at its size.
TEST(GrpcMessages, ThatArePackedAreNotUnpacked) {
  const std::string packed = Output("head -c 60000000 /dev/zero | gzip -9");
  ASSERT_LT(packed.size(), 60'000) << "it fits what a stream may send ahead";
  PortBed bed;
  Bystander bystander(&bed);
  Peer peer = bed.NewPeer();
  ASSERT_TRUE(peer.Open());
  ForgetPeakMemory();
  const int64_t before = PeakMemory();
  std::string said = Begin(1, Field("grpc-encoding", "gzip"));
  const std::string message = Message(packed, packed.size(), true);
  for (size_t at = 0; at < message.size(); at += 16'000) {
    const std::string part = message.substr(at, 16'000);
    said +=
        Frame(http2::kData, at + part.size() == message.size() ? http2::kEndStream : 0, 1, part);
  }
  ASSERT_TRUE(peer.Send(said));
  const std::string end = peer.WaitForEnd(1);
  EXPECT_THAT(end, HasSubstr("grpc-status\x02"
                             "12"));
  EXPECT_THAT(end, HasSubstr("'gzip' is disabled"));
  bystander.ExpectUnharmed();
  EXPECT_LT(PeakMemory() - before, 30'000);
}

// As above, without saying so in the head: not a message then.
TEST(GrpcMessages, ThatArePackedInSecretAreRefused) {
  PortBed bed;
  Peer peer = bed.NewPeer();
  ASSERT_TRUE(peer.Open());
  const std::string packed = Output("head -c 1000000 /dev/zero | gzip -9");
  ASSERT_TRUE(peer.Send(absl::StrCat(
      Begin(1), Frame(http2::kData, http2::kEndStream, 1, Message(packed, packed.size(), true)))));
  EXPECT_THAT(peer.WaitForEnd(1), Not(AnyOf(HasSubstr("grpc-status\x01"
                                                      "0"),
                                            "closed")));
  EXPECT_EQ(bed.RequestsUpstream(), 0);
}

// Nothing needs to be sent to who sends one, once its window is there.
TEST(GrpcMessages, ThatAreLargeAreTaken) {
  PortBed bed;
  const auto channel = bed.Connect();
  std::vector<std::thread> callers;
  for (int i = 0; i < 2; ++i) {
    callers.emplace_back([&] {
      v1::ListLocationsRequest request;
      request.set_page_token(std::string(2'000'000, 'x'));
      for (int round = 0; round < 5; ++round) {
        EXPECT_TRUE(Refused(CallOver(channel, &v1::LocationService::Stub::ListLocations, request),
                            grpc::StatusCode::INVALID_ARGUMENT, "INVALID_REQUEST"));
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(bed.Refused("unanswered"), 0);
}

TEST(GrpcMessages, ThatAreTooLargeAreRefused) {
  PortBed bed;
  v1::ListLocationsRequest request;
  request.set_page_token(std::string(5 << 20, 'x'));
  const auto reply = CallOver(bed.Connect(), &v1::LocationService::Stub::ListLocations, request);
  EXPECT_EQ(reply.code, grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(reply.message, HasSubstr("larger than max"));
  EXPECT_EQ(bed.RequestsUpstream(), 0);
}

// ---- What of all this is in the log. ----

size_t LinesOf(const std::string& log, absl::string_view with) {
  size_t count = 0;
  for (const absl::string_view line : absl::StrSplit(log, '\n')) {
    count += absl::StrContains(line, with) ? 1 : 0;
  }
  return count;
}

// Some at once, and one a second.
size_t Allowed(absl::Duration took) { return 5 + 1 + static_cast<size_t>(took / absl::Seconds(1)); }

TEST(GrpcPortLog, IsNotFloodedByHandshakesThatFail) {
  testing::internal::CaptureStderr();
  const absl::Time begin = absl::Now();
  {
    PortBed bed(true, [](config::Config& config) {
      config.mutable_connections()->mutable_handshake_timeout()->set_seconds(0);
      config.mutable_connections()->mutable_handshake_timeout()->set_nanos(200'000'000);
    });
    std::vector<Peer> peers;
    for (int i = 0; i < 100; ++i) {
      peers.emplace_back(bed.port());
      peers.back().Send(i % 2 == 0 ? "" : "Bearer token-of-shop\r\n\r\n");
    }
    for (Peer& peer : peers) EXPECT_TRUE(peer.WaitForClose());
    bed.WaitForConnections(0);
  }
  const absl::Duration took = absl::Now() - begin;
  const std::string log = testing::internal::GetCapturedStderr();
  if (IsGrpc151()) {
    EXPECT_GE(LinesOf(log, "gRPC says"), 1);
  }
  EXPECT_LE(LinesOf(log, "gRPC says"), Allowed(took)) << log;
  EXPECT_THAT(log, Not(HasSubstr("token-of-shop")));
}

TEST(GrpcPortLog, IsNotFloodedByTextThatIsNotUtf8) {
  testing::internal::CaptureStderr();
  const absl::Time begin = absl::Now();
  {
    GatewayBed bed;
    for (int i = 0; i < 100; ++i) {
      v1::GetSessionRequest request;
      request.set_session_id("token-of-shop \xff");
      EXPECT_FALSE(bed.Call(&v1::SessionService::Stub::GetSession, request).ok());
    }
    EXPECT_EQ(bed.simulator.Requests().size(), 0);
  }
  const absl::Duration took = absl::Now() - begin;
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_GE(LinesOf(log, "Protobuf says"), 1);
  EXPECT_LE(LinesOf(log, "Protobuf says"), Allowed(took)) << log;
  EXPECT_THAT(log, Not(HasSubstr("[libprotobuf")));
  EXPECT_THAT(log, Not(HasSubstr("token-of-shop")));
}

TEST(GrpcPortLog, IsNotFloodedByConnectionsTooMany) {
  testing::internal::CaptureStderr();
  const absl::Time begin = absl::Now();
  {
    PortBed bed(false, [](config::Config& config) { config.mutable_connections()->set_max(1); });
    Peer first = bed.NewPeer();
    bed.WaitForConnections(1);
    for (int i = 0; i < 200; ++i) EXPECT_TRUE(bed.NewPeer().WaitForClose());
    EXPECT_EQ(bed.Refused("too_many"), 200);
  }
  const absl::Duration took = absl::Now() - begin;
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_GE(LinesOf(log, "a connection too many"), 1);
  EXPECT_LE(LinesOf(log, "a connection too many"), Allowed(took));
}

TEST(GrpcPortLog, IsNotFloodedByStrangersWhoAskForChanges) {
  constexpr int kCalls = 500;
  testing::internal::CaptureStderr();
  const absl::Time begin = absl::Now();
  {
    GatewayBed guarded({.configure = [](const TestDirectory& directory, config::Config& config) {
      AddCaller(directory, "shop", {kMerchant}, {"*"}, &config);
    }});
    for (int i = 0; i < kCalls; ++i) {
      v1::CancelSessionRequest cancel;
      cancel.set_session_id(kNobody);
      EXPECT_EQ(guarded.Call(&v1::SessionService::Stub::CancelSession, cancel, AsCaller("stranger"))
                    .reason(),
                "TOKEN_UNKNOWN");
    }
    EXPECT_EQ(guarded.simulator.Requests().size(), 0);
  }
  const absl::Duration took = absl::Now() - begin;
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_GE(LinesOf(log, "reason=TOKEN_UNKNOWN"), 50);
  // 50 at once, and ten a second.
  EXPECT_LE(LinesOf(log, "reason=TOKEN_UNKNOWN"),
            51 + static_cast<size_t>(10 * absl::ToDoubleSeconds(took)));
  EXPECT_THAT(log, Not(HasSubstr("token-of-stranger")));
}

}  // namespace
}  // namespace ipp
