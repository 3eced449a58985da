// What peers of the gRPC port can hold on to: connections that say nothing, or not enough, or are
// not there any more. Somebody who calls beside them must not notice.

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>

#include <ostream>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "server/grpc_port/peer_key.h"
#include "tests/integration/port_bed.h"
#include "tests/support/http_relay.h"

namespace ipp {
namespace {

namespace v1 = kustom::ipp::v1;
using http2::Begin;
using http2::Frame;
using http2::Message;
using http2::Peer;

using testing::HasSubstr;
using testing::Not;

constexpr char kFromNow[] = "position: START_POSITION_FROM_NOW";
// Long enough for an honest handshake on a busy machine.
constexpr int kHandshakeMs = 1000;

void SetMs(google::protobuf::Duration* duration, int ms) {
  duration->set_seconds(ms / 1000);
  duration->set_nanos(ms % 1000 * 1'000'000);
}

struct Beginning {
  const char* name;
  bool tls;          // of the port
  bool handshaken;   // TLS is spoken, as far as it is
  std::string said;  // and then nothing
  bool dribbled = false;
};

void PrintTo(const Beginning& row, std::ostream* out) { *out << row.name; }

class UnfinishedHandshakes : public testing::TestWithParam<Beginning> {};

TEST_P(UnfinishedHandshakes, AreGivenUpAndHarmNobody) {
  const Beginning& row = GetParam();
  PortBed bed(row.tls, [](config::Config& config) {
    SetMs(config.mutable_connections()->mutable_handshake_timeout(), kHandshakeMs);
  });
  Bystander bystander(&bed);
  std::vector<Peer> peers;
  for (int i = 0; i < 5; ++i) {
    peers.emplace_back(bed.port(), row.handshaken ? Peer::Tls::kHandshake : Peer::Tls::kNone);
  }
  for (Peer& peer : peers) {
    if (row.dribbled) {
      peer.Dribble(row.said);
    } else {
      EXPECT_TRUE(peer.Send(row.said));
    }
  }
  for (Peer& peer : peers) EXPECT_TRUE(peer.WaitForClose());
  bed.WaitForConnections(1);
  bystander.ExpectUnharmed();
}

const std::string kHalfAPreface = std::string(http2::kPreface).substr(0, 12);
// The head of a record with a ClientHello that does not come.
const std::string kHalfAHello("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11);

INSTANTIATE_TEST_SUITE_P(
    Rows, UnfinishedHandshakes,
    testing::Values(Beginning{"Silent", false, false, ""},
                    Beginning{"HalfAPreface", false, false, kHalfAPreface},
                    Beginning{"NoSettings", false, false, http2::kPreface},
                    Beginning{"DribbledSettings", false, false,
                              absl::StrCat(http2::kPreface, Frame(http2::kSettings, 0, 0,
                                                                  std::string(12'000, '\0'))),
                              true},
                    Beginning{"Http11", false, false, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"},
                    Beginning{"SilentBeforeTls", true, false, ""},
                    Beginning{"HalfAHello", true, false, kHalfAHello},
                    Beginning{"PlaintextToTls", true, false, std::string(1000, 'x')},
                    Beginning{"SilentAfterTls", true, true, ""},
                    Beginning{"HalfAPrefaceAfterTls", true, true, kHalfAPreface}),
    [](const auto& info) { return info.param.name; });

struct Lingering {
  const char* name;
  std::string settings;
  bool acknowledged;
  std::string said;
};

void PrintTo(const Lingering& row, std::ostream* out) { *out << row.name; }

const std::string kNoWindow = http2::Setting(4, 0);
const std::string kAnswerUnread =
    absl::StrCat(Begin(1), Frame(http2::kData, http2::kEndStream, 1, Message("", 0)));

class LingeringConnections : public testing::TestWithParam<std::tuple<bool, Lingering>> {};

// They answer whatever they are asked, so that only their age ends them.
TEST_P(LingeringConnections, AreEndedByTheirAge) {
  const auto& [tls, row] = GetParam();
  PortBed bed(tls, [](config::Config& config) {
    SetMs(config.mutable_connections()->mutable_max_age(), 200);
    // What is under way goes on as long as a stream and a call may.
    SetMs(config.mutable_events()->mutable_max_stream_age(), 1000);
    SetMs(config.mutable_events()->mutable_max_write_stall(), 100);
    SetMs(config.mutable_upstream()->mutable_timeout(), 100);
  });
  std::vector<Peer> peers;
  for (int i = 0; i < 3; ++i) peers.push_back(bed.NewPeer());
  for (Peer& peer : peers) {
    EXPECT_TRUE(peer.Send(
        absl::StrCat(http2::kPreface, Frame(http2::kSettings, 0, 0, row.settings),
                     row.acknowledged ? Frame(http2::kSettings, http2::kAck, 0) : "", row.said)));
  }
  for (Peer& peer : peers) EXPECT_TRUE(peer.WaitForClose());
  bed.WaitForConnections(0);
  EXPECT_LE(bed.RequestsUpstream(), row.said == kAnswerUnread ? 3 : 0);
}

INSTANTIATE_TEST_SUITE_P(
    Rows, LingeringConnections,
    testing::Combine(
        testing::Bool(),
        testing::Values(Lingering{"Idle", "", true, ""},
                        Lingering{"SettingsNeverAcknowledged", "", false, ""},
                        Lingering{"CallsWithoutAcknowledging", "", false, Begin(1) + Begin(3)},
                        Lingering{"NothingAfterTheHeaders", "", true, Begin(1) + Begin(3)},
                        Lingering{"MessageNeverSent", "", true,
                                  Begin(1) + Frame(http2::kData, 0, 1, Message("abc", 1000))},
                        Lingering{"AnswerNeverRead", kNoWindow, true, kAnswerUnread})),
    [](const auto& info) {
      return absl::StrCat(std::get<1>(info.param).name, std::get<0>(info.param) ? "Tls" : "");
    });

TEST(GrpcPort, ClosesConnectionsWithoutACall) {
  PortBed bed(false, [](config::Config& config) {
    SetMs(config.mutable_connections()->mutable_max_idle(), 300);
  });
  Peer idle = bed.NewPeer();
  ASSERT_TRUE(idle.Open());
  EXPECT_TRUE(idle.WaitForClose());
  bed.WaitForConnections(0);
}

// Its own connections come and go with their age, and none of its calls fails for that.
TEST(GrpcPort, RenewsConnectionsUnnoticed) {
  PortBed bed(false, [](config::Config& config) {
    SetMs(config.mutable_connections()->mutable_max_age(), 200);
  });
  Bystander bystander(&bed);
  Peer other = bed.NewPeer();
  ASSERT_TRUE(other.Open());
  EXPECT_TRUE(other.WaitForClose()) << "so has that of the bystander been renewed";
  bystander.ExpectUnharmed();
}

void SetKeepalive(config::Config& config) {
  SetMs(config.mutable_connections()->mutable_keepalive_time(), 300);
  SetMs(config.mutable_connections()->mutable_keepalive_timeout(), 1000);
}

TEST(GrpcPort, FindsPeersThatDoNotAnswer) {
  PortBed bed(false, SetKeepalive);
  Bystander bystander(&bed);
  Peer silent = bed.NewPeer();
  Peer unfinished = bed.NewPeer();
  ASSERT_TRUE(silent.Open());
  ASSERT_TRUE(unfinished.Open());
  ASSERT_TRUE(unfinished.Send(Frame(http2::kHeaders, 0, 1, http2::CallFields())));
  EXPECT_TRUE(silent.WaitForClose(/*answer_pings=*/false));
  EXPECT_TRUE(unfinished.WaitForClose(/*answer_pings=*/false));
  bed.WaitForConnections(1);
  bystander.ExpectUnharmed();
}

TEST(GrpcPort, FindsSubscribersThatVanishWithoutAWord) {
  PortBed bed(false, SetKeepalive);
  http::HttpRelay relay(bed.port());
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  const auto channel = grpc::CreateCustomChannel(absl::StrCat("127.0.0.1:", relay.port()),
                                                 grpc::InsecureChannelCredentials(), arguments);
  EventFeed gone(channel, kFromNow);
  Bystander bystander(&bed);
  EventFeed there(bed.Connect(), kFromNow);
  bed.gateway().WaitForMetric("ipp_events_subscribers", 2);
  relay.Freeze();
  bed.gateway().WaitForMetric("ipp_events_subscribers", 1);
  bed.WaitForConnections(2);
  bystander.ExpectUnharmed();
  bed.bed().NewSession();
  there.NextEvent();
  gone.Cancel();
}

// One call with too much metadata, on a connection that others use: it alone is refused.
TEST(GrpcPort, RefusesTooMuchMetadataAndLeavesTheConnectionAlone) {
  PortBed bed;
  const auto channel = bed.Connect();
  EventFeed beside(channel, kFromNow);
  bed.gateway().WaitForMetric("ipp_events_subscribers", 1);
  const auto stub = v1::LocationService::NewStub(channel);
  const auto list = [&](const std::string& key, size_t bytes) {
    grpc::ClientContext context;
    context.AddMetadata(key, std::string(bytes, 'v'));
    v1::ListLocationsResponse response;
    return stub->ListLocations(&context, {}, &response);
  };
  EXPECT_TRUE(list("x-trace", 7'000).ok());
  for (const auto& [key, bytes] : {std::pair<std::string, size_t>{"x-trace", 9'000},
                                   {"authorization", 9'000},
                                   {"x-merchant-id", 20'000},
                                   {"x-trace-bin", 30'000},
                                   {"x-trace", 50'000}}) {
    const grpc::Status status = list(key, bytes);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED) << key << " " << bytes;
    EXPECT_THAT(status.error_message(), HasSubstr("bytes of metadata; at most 8192"));
  }
  EXPECT_TRUE(list("x-trace", 7'000).ok());
  EXPECT_EQ(bed.gateway().Metric("ipp_connections", {R"(port="grpc")"}), 1);
  bed.bed().NewSession();
  beside.NextEvent();
  beside.Cancel();
}

// Of whatever happens from now on.
std::string Subscription(const std::string& more_fields = "") {
  v1::SubscribeSessionEventsRequest request;
  request.set_position(v1::START_POSITION_FROM_NOW);
  const std::string bytes = request.SerializeAsString();
  return absl::StrCat(
      Begin(1, more_fields, "/kustom.ipp.v1.SessionEventService/SubscribeSessionEvents"),
      Frame(http2::kData, http2::kEndStream, 1, Message(bytes, bytes.size())));
}

TEST(GrpcPort, EndsAStreamWhoseReaderGivesNoWindow) {
  PortBed bed(false, [](config::Config& config) {
    SetMs(config.mutable_events()->mutable_max_write_stall(), 300);
  });
  Bystander bystander(&bed);
  Peer slow = bed.NewPeer();
  ASSERT_TRUE(slow.Open(kNoWindow));
  ASSERT_TRUE(slow.Send(Subscription()));
  EXPECT_NE(slow.WaitForEnd(1), "closed");
  bed.gateway().WaitForMetric("ipp_events_slow_readers_total", 1);
  bed.gateway().WaitForMetric("ipp_events_subscribers", 0);
  bystander.ExpectUnharmed();
}

TEST(GrpcPort, SaysWhoseStreamWasCutOff) {
  testing::internal::CaptureStderr();
  {
    GatewayBed bed({.configure = [](const TestDirectory& directory, config::Config& config) {
      AddCaller(directory, "shop", {kMerchant}, {"*"}, &config);
      SetMs(config.mutable_events()->mutable_max_write_stall(), 300);
    }});
    Peer slow(bed.gateway.app().grpc_port());
    ASSERT_TRUE(slow.Open(kNoWindow));
    ASSERT_TRUE(slow.Send(Subscription(http2::Field("authorization", "Bearer token-of-shop"))));
    bed.gateway.WaitForMetric("ipp_events_slow_readers_total", 1);
  }
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr("warning a subscriber was cut off: it did not read caller=shop "
                             "rpc=SubscribeSessionEvents limit=events.max_write_stall "));
  EXPECT_THAT(log, HasSubstr(" position=0 "));
  EXPECT_THAT(log, Not(HasSubstr("token-of-shop")));
}

TEST(GrpcPort, ClosesAConnectionTooMany) {
  PortBed bed(false, [](config::Config& config) { config.mutable_connections()->set_max(3); });
  Bystander bystander(&bed);
  {
    Peer first = bed.NewPeer();
    Peer second = bed.NewPeer();
    ASSERT_TRUE(first.Open());
    bed.WaitForConnections(3);
    for (int i = 0; i < 20; ++i) EXPECT_TRUE(bed.NewPeer().WaitForClose());
    EXPECT_EQ(bed.Refused("too_many"), 20);
    EXPECT_TRUE(first.Send(Frame(http2::kPing, 0, 0, "12345678")));
    while (true) {
      const auto frame = first.Read();
      ASSERT_TRUE(frame.has_value());
      if (frame->type == http2::kPing && frame->payload == "12345678") break;
    }
  }
  bed.WaitForConnections(1);
  bed.Connect();
  bystander.ExpectUnharmed();
}

TEST(GrpcPort, ClosesAConnectionTooManyOfOnePeer) {
  PortBed bed(false,
              [](config::Config& config) { config.mutable_connections()->set_max_per_peer(3); });
  Bystander bystander(&bed);
  {
    Peer first = bed.NewPeer();
    Peer second = bed.NewPeer();
    ASSERT_TRUE(first.Open());
    bed.WaitForConnections(3);
    for (int i = 0; i < 20; ++i) EXPECT_TRUE(bed.NewPeer().WaitForClose());
    EXPECT_EQ(bed.Refused("too_many_of_peer"), 20);
    EXPECT_EQ(bed.Refused("too_many"), 0);
  }
  // Those that have ended make room for others, again and again.
  for (int i = 0; i < 10; ++i) {
    bed.WaitForConnections(1);
    Peer next = bed.NewPeer();
    ASSERT_TRUE(next.Open());
  }
  EXPECT_EQ(bed.Refused("too_many_of_peer"), 20);
  bystander.ExpectUnharmed();
}

sockaddr_storage AddressOf(const std::string& text) {
  sockaddr_storage address{};
  auto& v4 = reinterpret_cast<sockaddr_in&>(address);
  auto& v6 = reinterpret_cast<sockaddr_in6&>(address);
  if (inet_pton(AF_INET, text.c_str(), &v4.sin_addr) == 1) {
    address.ss_family = AF_INET;
    v4.sin_port = htons(1234);
  } else {
    EXPECT_EQ(inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr), 1) << text;
    address.ss_family = AF_INET6;
  }
  return address;
}

TEST(PeerKey, IsAnIpv4AddressOrTheNetworkOfAnIpv6Address) {
  const auto key = [](const std::string& text) { return grpc_port::KeyOf(AddressOf(text)); };
  EXPECT_EQ(key("10.0.0.1"), key("::ffff:10.0.0.1"));
  EXPECT_NE(key("10.0.0.1"), key("10.0.0.2"));
  EXPECT_EQ(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff:ffff:ffff:ffff"));
  EXPECT_NE(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
  EXPECT_NE(key("::"), key("0.0.0.0"));
  EXPECT_EQ(grpc_port::Shown(key("::ffff:10.0.0.1")), "10.0.0.1");
  EXPECT_EQ(grpc_port::Shown(key("2001:db8:1:2::1")), "2001:db8:1:2::/64");
}

// As few file descriptors as there are open, for as long as this lives.
class NoDescriptors {
 public:
  NoDescriptors() {
    EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &before_), 0);
    const http::Fd next(socket(AF_INET, SOCK_STREAM, 0));
    const rlimit none{static_cast<rlim_t>(next.get() + 1), before_.rlim_max};
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  }
  // Those that others close meanwhile are taken too.
  void Fill() {
    for (int fd; (fd = fcntl(0, F_DUPFD_CLOEXEC, 0)) >= 0;) taken_.emplace_back(fd);
  }
  ~NoDescriptors() { EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &before_), 0); }

 private:
  rlimit before_{};
  std::vector<http::Fd> taken_;
};

// gRPC's own listening socket would be lost then, for good.
TEST(GrpcPort, ListensAgainWhenThereAreFileDescriptorsAgain) {
  PortBed bed;
  const auto before = bed.Connect();
  const sockaddr_in address = http::Loopback(bed.port());
  const absl::Time end = absl::Now() + absl::Seconds(60);
  while (bed.Refused("no_descriptors") == 0 && absl::Now() < end) {
    std::vector<http::Fd> attackers;
    for (int i = 0; i < 20; ++i) attackers.emplace_back(socket(AF_INET, SOCK_STREAM, 0));
    NoDescriptors none;
    none.Fill();
    for (const http::Fd& fd : attackers) {
      EXPECT_EQ(connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    }
    poll(nullptr, 0, 10);  // whether it was long enough is seen above
  }
  EXPECT_GT(bed.Refused("no_descriptors"), 0);
  bed.WaitForConnections(1);
  for (const auto& channel : {before, bed.Connect()}) {
    EXPECT_TRUE(Ok(
        CallOver(channel, &v1::LocationService::Stub::ListLocations, v1::ListLocationsRequest())));
  }
}

}  // namespace
}  // namespace ipp
