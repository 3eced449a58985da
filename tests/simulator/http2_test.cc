// HTTP/2 as a protocol: streams side by side, limits, and peers that misbehave.

#include <nghttp2/nghttp2.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/simulator/h2_client.h"

namespace ipp::simulator {
namespace {

class SimulatorHttp2 : public SimulatorTlsTest {
 protected:
  void SetUp() override {
    SimulatorTlsTest::SetUp();
    h2_ = std::make_unique<H2Client>(tls_port());
  }
  std::unique_ptr<H2Client> h2_;
};

TEST_F(SimulatorHttp2, AnswersManyStreamsOfOneConnection) {
  std::vector<int32_t> streams;
  for (int i = 0; i < 300; ++i) {  // more than it takes at once: the client has to wait
    streams.push_back(
        h2_->Send("POST", "/ipp/v1/dev/devices", R"({"name":"Till )" + std::to_string(i) + "\"}"));
  }
  for (size_t i = streams.size(); i-- > 0;) {
    const H2Reply reply = h2_->Wait(streams[i]);
    ASSERT_EQ(reply.status, 201);
    EXPECT_EQ(At(reply.Json(), "name"), "Till " + std::to_string(i));
  }
  const auto requests = Truth("requests");
  EXPECT_EQ(At(requests, "total"), "300");
  EXPECT_EQ(At(requests, "requests.0.connection"), At(requests, "requests.299.connection"));
}

TEST_F(SimulatorHttp2, OvertakesAnAnswerThatIsLate) {
  Rules(R"({"on":"list_devices","do":"hang"})");
  h2_->Send("GET", "/ipp/v1/devices");
  for (int i = 0; i < 99; ++i) EXPECT_EQ(h2_->Call("GET", "/ipp/v1/devices").status, 200);
}

TEST_F(SimulatorHttp2, NotesAuthorityAndHeadersAsOfHttp11) {
  h2_->Wait(h2_->Send("GET", "/ipp/v1/devices?page_size=1", {}, {{"traceparent", "00-1-2-01"}}));
  const auto requests = Truth("requests");
  EXPECT_EQ(At(requests, "requests.0.method"), "GET");
  EXPECT_EQ(At(requests, "requests.0.target"), "/ipp/v1/devices?page_size=1");
  EXPECT_EQ(At(requests, "requests.0.headers.traceparent"), "00-1-2-01");
  EXPECT_EQ(At(requests, "requests.0.headers.x-merchant-id"), kMerchantId);
  EXPECT_EQ(At(requests, "requests.0.status"), "200");
}

TEST_F(SimulatorHttp2, LeavesOutTheBodyForHead) {
  const H2Reply reply = h2_->Call("HEAD", "/_sim/state");
  EXPECT_EQ(reply.status, 405);
  EXPECT_EQ(reply.Header("allow"), "GET");
  EXPECT_NE(reply.Header("content-length"), "");
  EXPECT_EQ(reply.body, "");
  EXPECT_TRUE(reply.ended);
}

TEST_F(SimulatorHttp2, SaysNothingOfABodyThatIsNotThere) {
  const H2Reply reply = h2_->Call("DELETE", "/ipp/v1/devices/" + NewDevice());
  EXPECT_EQ(reply.status, 204);
  EXPECT_TRUE(reply.ended);
  EXPECT_EQ(reply.Header("content-type"), "");
  EXPECT_EQ(reply.Header("content-length"), "");
}

TEST_F(SimulatorHttp2, AsksForABodyThatWaits) {
  const int32_t stream = h2_->SendHead(
      "POST", "/ipp/v1/dev/devices",
      {{"expect", "100-continue"}, {"content-type", "application/json"}, {"content-length", "12"}});
  ASSERT_TRUE(h2_->Ping());
  EXPECT_EQ(h2_->Seen(stream).informed, 100);
  h2_->Continue(stream, R"({"name":"a"})");
  EXPECT_EQ(h2_->Wait(stream).status, 201);
}

TEST_F(SimulatorHttp2, SendsWithinTheWindow) {
  for (int i = 0; i < 20; ++i) NewSession();
  const std::string whole = Get("/_sim/sessions").body;
  h2_->SetWindow(10);
  EXPECT_GT(whole.size(), 5000u);
  EXPECT_EQ(h2_->Call("GET", "/_sim/sessions").body, whole);
}

class SimulatorHttp2Limits : public SimulatorHttp2 {
 protected:
  static std::string DeviceOf(size_t bytes) {
    std::string body = R"({"name":"a"})";
    return body + std::string(bytes - body.size(), ' ');
  }
  void TearDown() override {
    // Only the stream ended, and nothing was noted.
    EXPECT_EQ(h2_->Call("GET", "/ipp/v1/devices").status, 200);
    EXPECT_EQ(At(Truth("requests"), "requests.0.target"), "/ipp/v1/devices");
  }
};

constexpr size_t kMaxBody = 1024 * 1024;

TEST_F(SimulatorHttp2Limits, BodyAtItsLargestIsRead) {
  EXPECT_EQ(h2_->Call("POST", "/ipp/v1/dev/devices", DeviceOf(kMaxBody)).status, 201);
  EXPECT_EQ(At(Truth("requests"), "requests.0.body_length"), std::to_string(kMaxBody));
  EXPECT_EQ(control_->Call("DELETE", "/_sim/requests").status, 204);
}

TEST_F(SimulatorHttp2Limits, BodyBeyondItIsRefused) {
  const H2Reply reply = h2_->Call("POST", "/ipp/v1/dev/devices", DeviceOf(kMaxBody + 1));
  EXPECT_EQ(reply.status, 413);
  EXPECT_EQ(reply.Header("content-type"), "application/problem+json");
  EXPECT_TRUE(reply.ended);
}

TEST_F(SimulatorHttp2Limits, BodyFarBeyondItIsCutShort) {
  const int32_t stream = h2_->Send("POST", "/ipp/v1/dev/devices", DeviceOf(16 * kMaxBody));
  while (h2_->Ping() && !h2_->Seen(stream).reset) {
  }
  EXPECT_EQ(h2_->Seen(stream).status, 413);
  EXPECT_EQ(h2_->Seen(stream).reset, NGHTTP2_NO_ERROR);
}

TEST_F(SimulatorHttp2Limits, AnnouncedBodyIsRefusedBeforeItComes) {
  const int32_t stream =
      h2_->SendHead("POST", "/ipp/v1/dev/devices", {{"content-length", "1048577"}});
  EXPECT_EQ(h2_->Wait(stream).status, 413);
  h2_->ResetStream(stream);
}

TEST_F(SimulatorHttp2Limits, HeaderBeyondItIsRefused) {
  Headers headers;
  for (int i = 0; i < 20; ++i) {
    headers.emplace_back("x-" + std::to_string(i), std::string(1000, 'x'));
  }
  const H2Reply reply = h2_->Wait(h2_->Send("GET", "/ipp/v1/devices", {}, headers));
  EXPECT_EQ(reply.status, 431);
  EXPECT_TRUE(reply.ended);
}

TEST_F(SimulatorHttp2Limits, TargetBeyondItIsRefused) {
  EXPECT_EQ(h2_->Call("GET", "/" + std::string(20'000, 'x')).status, 431);
}

// Frames as RFC 9113, section 4.1, has them.
std::string Frame(char type, char flags, uint32_t stream, const std::string& payload) {
  std::string frame(9, '\0');
  frame[1] = static_cast<char>(payload.size() >> 8);
  frame[2] = static_cast<char>(payload.size());
  frame[3] = type;
  frame[4] = flags;
  for (size_t i = 0; i < 4; ++i) frame[5 + i] = static_cast<char>(stream >> (24 - 8 * i));
  return frame + payload;
}

struct SentFrame {
  int type;
  uint32_t stream;
  std::string payload;

  uint32_t Word(size_t at) const {
    uint32_t word = 0;
    for (size_t i = 0; i < 4; ++i) word = word << 8 | static_cast<uint8_t>(payload.at(at + i));
    return word;
  }
};

std::vector<SentFrame> FramesIn(std::string bytes) {
  std::vector<SentFrame> frames;
  const auto byte = [&](size_t i) { return static_cast<uint32_t>(static_cast<uint8_t>(bytes[i])); };
  while (bytes.size() >= 9) {
    const size_t size = byte(0) << 16 | byte(1) << 8 | byte(2);
    const uint32_t stream = byte(5) << 24 | byte(6) << 16 | byte(7) << 8 | byte(8);
    EXPECT_LE(size, bytes.size() - 9);
    frames.push_back({static_cast<int>(byte(3)), stream, bytes.substr(9, size)});
    bytes.erase(0, 9 + size);
  }
  return frames;
}

const std::string kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const std::string kOpening = kPreface + Frame(NGHTTP2_SETTINGS, 0, 0, "");
// GET https / of authority "a", by HPACK's static table.
const std::string kGetHead =
    "\x82\x87\x84\x41\x01"
    "a";
constexpr char kWhole = NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM;

struct BrokenRow {
  std::string name;
  std::string bytes;
  uint32_t error;
};

class SimulatorHttp2Broken : public SimulatorHttp2,
                             public testing::WithParamInterface<BrokenRow> {};

TEST_P(SimulatorHttp2Broken, EndsTheConnectionAndNothingElse) {
  Client raw(tls_port(), "\x02h2");
  raw.SendRaw(GetParam().bytes);
  const auto frames = FramesIn(raw.ReadToEnd());
  ASSERT_FALSE(frames.empty());
  EXPECT_EQ(frames.front().type, NGHTTP2_SETTINGS);
  EXPECT_EQ(frames.back().type, NGHTTP2_GOAWAY);
  EXPECT_EQ(frames.back().Word(4), GetParam().error);
  EXPECT_EQ(h2_->Call("GET", "/ipp/v1/devices").status, 200);
  EXPECT_EQ(At(Truth("requests"), "total"), "1");
}

INSTANTIATE_TEST_SUITE_P(
    Table, SimulatorHttp2Broken,
    testing::Values(
        BrokenRow{"NoPreface", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", NGHTTP2_PROTOCOL_ERROR},
        BrokenRow{"NoSettings", kPreface + Frame(NGHTTP2_PING, 0, 0, "12345678"),
                  NGHTTP2_PROTOCOL_ERROR},
        BrokenRow{"GarbageAfterThePreface", kPreface + std::string(100, '\xff'),
                  NGHTTP2_PROTOCOL_ERROR},
        BrokenRow{"Garbage", kOpening + std::string(100, '\xff'), NGHTTP2_FRAME_SIZE_ERROR},
        BrokenRow{"BadHpack", kOpening + Frame(NGHTTP2_HEADERS, kWhole, 1, "\xff\xff\xff\xff\xff"),
                  NGHTTP2_COMPRESSION_ERROR},
        BrokenRow{"EvenStream", kOpening + Frame(NGHTTP2_HEADERS, kWhole, 2, kGetHead),
                  NGHTTP2_PROTOCOL_ERROR},
        BrokenRow{"DataBeforeHead", kOpening + Frame(NGHTTP2_DATA, 0, 1, "a"),
                  NGHTTP2_PROTOCOL_ERROR},
        BrokenRow{"LongSettings", kOpening + Frame(NGHTTP2_SETTINGS, 0, 0, "12345"),
                  NGHTTP2_FRAME_SIZE_ERROR},
        BrokenRow{"HeadThatIsInterrupted",
                  kOpening + Frame(NGHTTP2_HEADERS, 0, 1, kGetHead) +
                      Frame(NGHTTP2_PING, 0, 0, "12345678"),
                  NGHTTP2_PROTOCOL_ERROR}),
    RowName<BrokenRow>);

TEST_F(SimulatorHttp2, EndsAStreamWithoutAPathAlone) {
  Client raw(tls_port(), "\x02h2");
  raw.SendRaw(kOpening + Frame(NGHTTP2_HEADERS, kWhole, 1, "\x82\x87") +
              Frame(NGHTTP2_HEADERS, kWhole, 3, kGetHead) +
              Frame(NGHTTP2_GOAWAY, 0, 0, std::string(8, '\0')));
  std::vector<std::pair<int, uint32_t>> ends;
  for (const SentFrame& frame : FramesIn(raw.ReadToEnd())) {
    if (frame.stream != 0) ends.emplace_back(frame.type, frame.stream);
  }
  EXPECT_THAT(ends, testing::UnorderedElementsAre(std::pair(NGHTTP2_RST_STREAM, 1u),
                                                  std::pair(NGHTTP2_HEADERS, 3u),  // 401
                                                  std::pair(NGHTTP2_DATA, 3u)));
}

TEST_F(SimulatorHttp2, AnnouncesItsLimits) {
  Client raw(tls_port(), "\x02h2");
  raw.SendRaw(kOpening + Frame(NGHTTP2_GOAWAY, 0, 0, std::string(8, '\0')));
  const auto frames = FramesIn(raw.ReadToEnd());
  ASSERT_FALSE(frames.empty());
  EXPECT_EQ(frames[0].type, NGHTTP2_SETTINGS);
  EXPECT_EQ(frames[0].payload, std::string("\0\x3\0\0\0\x64\0\x6\0\0\x40\0", 12));  // 100, 16 KiB
}

TEST_F(SimulatorHttp2, EndsAConnectionThatOnlyResets) {
  Rules(R"({"on":"list_devices","do":"hang","count":0})");
  int sent = 0;
  while (!h2_->goaway() && sent < 10'000) {
    h2_->ResetStream(h2_->Send("GET", "/ipp/v1/devices"));
    if (++sent % 10 == 0) h2_->Ping();
  }
  EXPECT_TRUE(IsClosed(h2_->WaitForEnd()));
  ASSERT_TRUE(h2_->goaway());
  EXPECT_EQ(h2_->goaway()->error, NGHTTP2_ENHANCE_YOUR_CALM);
  EXPECT_GT(sent, 100);
  EXPECT_LT(sent, 300);
}

TEST_F(SimulatorHttp2, DoesNotMindResetsAmongAnswers) {
  for (int i = 0; i < 500; ++i) {
    h2_->ResetStream(h2_->Send("GET", "/ipp/v1/devices"));
    ASSERT_EQ(h2_->Call("GET", "/ipp/v1/devices").status, 200);
  }
}

TEST_F(SimulatorHttp2, OutlivesPeersThatGoAnyTime) {
  Rules(R"({"on":"list_devices","do":"delay","delay_ms":600000,"count":0},)"
        R"({"on":"get_session","do":"hang","count":0},)"
        R"({"on":"list_locations","do":"slow_body","delay_ms":600000,"count":0})");
  for (int i = 0; i < 10; ++i) {
    H2Client client(tls_port());
    for (int j = 0; j < 10; ++j) {
      client.Send("GET", "/ipp/v1/devices");
      client.Send("GET", std::string("/ipp/v1/sessions/") + kNobody);
      client.Send("GET", "/ipp/v1/locations");
      client.SendHead("POST", "/ipp/v1/sessions");
    }
    ASSERT_TRUE(client.Ping());  // all that was read before it goes
  }
  WaitForRequests(300);
  EXPECT_EQ(h2_->Call("GET", "/ipp/v1/enrollments").status, 200);
}

}  // namespace
}  // namespace ipp::simulator
