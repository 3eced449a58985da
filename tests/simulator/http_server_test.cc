#include "tests/simulator/harness.h"

namespace ipp::simulator {
namespace {

class SimulatorHttp : public SimulatorTest {};

const std::string kGet = std::string("GET /ipp/v1/locations HTTP/1.1\r\nHost: a\r\n") +
                         "Authorization: Basic " + kKey + "\r\nx-merchant-id: a\r\n";

TEST_F(SimulatorHttp, AnswersPipelinedRequestsInOrder) {
  client_->SendRaw(kGet + "\r\nGET /nothing HTTP/1.1\r\nHost: a\r\n\r\n" + kGet + "\r\n");
  EXPECT_EQ(client_->ReadReply().status, 200);
  EXPECT_EQ(client_->ReadReply().status, 401);
  EXPECT_EQ(client_->ReadReply().status, 200);
}

TEST_F(SimulatorHttp, KeepsTheConnectionUnlessAskedNotTo) {
  EXPECT_TRUE(Get("/ipp/v1/devices").keep_alive);
  const auto requests = [&] { return Get("/_sim/requests").Json(); };
  Get("/ipp/v1/devices");
  EXPECT_EQ(At(requests(), "requests.0.connection"), At(requests(), "requests.1.connection"));
  client_->SendRaw(kGet + "Connection: close\r\n\r\n");
  EXPECT_FALSE(client_->ReadReply().keep_alive);
  EXPECT_EQ(client_->ReadReply().status, 0);
}

TEST_F(SimulatorHttp, SpeaksHttp10) {
  client_->SendRaw("GET /_sim/state HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_EQ(client_->ReadReply().Header("Connection"), "keep-alive");
  client_->SendRaw("GET /_sim/state HTTP/1.0\r\n\r\n");
  EXPECT_EQ(client_->ReadReply().status, 200);
  EXPECT_EQ(client_->ReadReply().status, 0);
}

TEST_F(SimulatorHttp, ReadsChunkedBodies) {
  client_->SendRaw(std::string("POST /ipp/v1/dev/devices HTTP/1.1\r\nHost: a\r\n") +
                   "Authorization: Basic " + kKey +
                   "\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
                   "8\r\n{\"name\":\r\n4\r\n\"a\"}\r\n0\r\n\r\n");
  EXPECT_EQ(client_->ReadReply().status, 201);
}

TEST_F(SimulatorHttp, AsksForABodyThatWaits) {
  client_->SendRaw(std::string("POST /ipp/v1/dev/devices HTTP/1.1\r\nHost: a\r\n") +
                   "Authorization: Basic " + kKey +
                   "\r\nContent-Type: application/json\r\nContent-Length: 12\r\n"
                   "Expect: 100-continue\r\n\r\n");
  EXPECT_EQ(client_->ReadReply().status, 100);
  client_->SendRaw(R"({"name":"a"})");
  EXPECT_EQ(client_->ReadReply().status, 201);
}

TEST_F(SimulatorHttp, LeavesOutTheBodyForHead) {
  const Reply reply = client_->Call("HEAD", "/_sim/state");
  EXPECT_EQ(reply.status, 405);
  EXPECT_EQ(reply.Header("Allow"), "GET");
  EXPECT_EQ(client_->Call("GET", "/_sim/state").status, 200);
}

TEST_F(SimulatorHttp, NamesTheVerbsOfAPath) {
  EXPECT_EQ(Send("PATCH", std::string("/ipp/v1/devices/") + kNobody).Header("Allow"),
            "PUT, DELETE");
  EXPECT_EQ(Send("DELETE", "/ipp/v1/enrollments").Header("Allow"), "GET, POST");
  EXPECT_EQ(Send("POST", "/_sim/requests").Header("Allow"), "GET, DELETE");
}

struct RawRow {
  std::string name;
  std::string bytes;
  int status;
};

class SimulatorHttpLimit : public SimulatorTest, public testing::WithParamInterface<RawRow> {};

TEST_P(SimulatorHttpLimit, EndsTheConnectionAndNothingElse) {
  Client raw(simulator_->port());
  raw.SendRaw(GetParam().bytes);
  const Reply reply = raw.ReadReply();
  EXPECT_EQ(reply.status, GetParam().status) << reply.body;
  EXPECT_EQ(reply.Header("Content-Type"), "application/problem+json");
  EXPECT_FALSE(reply.keep_alive);
  EXPECT_EQ(Get("/ipp/v1/devices").status, 200);
  EXPECT_EQ(At(Get("/_sim/requests").Json(), "total"), "1");
}

const std::string kPost = "POST /ipp/v1/sessions HTTP/1.1\r\nHost: a\r\n";
INSTANTIATE_TEST_SUITE_P(
    Table, SimulatorHttpLimit,
    testing::Values(
        RawRow{"NoHttp", "hello\r\n\r\n", 400},
        RawRow{"BadHeader", "GET / HTTP/1.1\r\nno colon\r\n\r\n", 400},
        RawRow{"BadLength", kPost + "Content-Length: x\r\n\r\n", 400},
        RawRow{"BadChunk", kPost + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
        RawRow{"LongHeader", kPost + "X: " + std::string(20'000, 'x') + "\r\n\r\n", 431},
        RawRow{"LongTarget", "GET /" + std::string(20'000, 'x') + " HTTP/1.1\r\n\r\n", 431},
        RawRow{"AnnouncedBody", kPost + "Content-Length: 1048577\r\n\r\n", 413},
        RawRow{"SentBody", kPost + "Content-Length: 3000000\r\n\r\n" + std::string(3'000'000, ' '),
               413},
        RawRow{"ChunkedBody",
               kPost + "Transfer-Encoding: chunked\r\n\r\n200000\r\n" + std::string(0x200000, ' '),
               413}),
    RowName<RawRow>);

}  // namespace
}  // namespace ipp::simulator
