#include "tests/integration/forbidden_bed.h"

#include <grpcpp/generic/generic_stub.h>

#include "absl/strings/str_cat.h"
#include "kustom/ipp/v1/device.grpc.pb.h"
#include "kustom/ipp/v1/outcome.grpc.pb.h"
#include "kustom/ipp/v1/session_history.grpc.pb.h"
#include "tests/support/http_socket.h"

namespace ipp {
namespace {

namespace v1 = kustom::ipp::v1;

// Waits for the next event of `queue`.
bool Wait(grpc::CompletionQueue* queue) {
  void* tag = nullptr;
  bool ok = false;
  return queue->Next(&tag, &ok) && ok;
}

std::string Frame(int type, int flags, int stream, const std::string& payload) {
  std::string frame;
  for (const int shift : {16, 8, 0}) frame += static_cast<char>(payload.size() >> shift);
  frame += static_cast<char>(type);
  frame += static_cast<char>(flags);
  frame += std::string(3, '\0');
  frame += static_cast<char>(stream);
  return frame + payload;
}

// RFC 7541, 6.2.2: a literal that is not indexed, with a new name; lengths below 127 or in two
// bytes.
std::string HpackString(const std::string& text) {
  std::string out;
  if (text.size() < 127) {
    out += static_cast<char>(text.size());
  } else {
    out += '\x7f';
    size_t rest = text.size() - 127;
    for (; rest >= 128; rest >>= 7) out += static_cast<char>(0x80 | (rest & 0x7f));
    out += static_cast<char>(rest);
  }
  return out + text;
}

bool ReadBytes(int fd, size_t count, std::string* out) {
  out->clear();
  while (out->size() < count) {
    char bytes[4096];
    const ssize_t n = recv(fd, bytes, std::min(sizeof(bytes), count - out->size()), 0);
    if (n <= 0) return false;
    out->append(bytes, static_cast<size_t>(n));
  }
  return true;
}

}  // namespace

std::string CallRaw(const std::shared_ptr<grpc::Channel>& channel, const std::string& path,
                    const std::string& request, const Metadata& metadata, absl::Duration timeout) {
  grpc::GenericStub stub(channel);
  grpc::CompletionQueue queue;
  grpc::ClientContext context;
  Prepare({.timeout = timeout}, &context);
  for (const auto& [key, value] : metadata) context.AddMetadata(key, value);
  const auto stream = stub.PrepareCall(&context, path, &queue);
  stream->StartCall(nullptr);
  int messages = 0;
  if (Wait(&queue)) {
    const grpc::Slice slice(request);
    stream->WriteLast(grpc::ByteBuffer(&slice, 1), {}, nullptr);
    Wait(&queue);
    grpc::ByteBuffer message;
    for (stream->Read(&message, nullptr); Wait(&queue); stream->Read(&message, nullptr)) ++messages;
  }
  grpc::Status status;
  stream->Finish(&status, nullptr);
  Wait(&queue);
  queue.Shutdown();
  const RpcEnd end = EndOf(status, context);
  if (end.ok()) return absl::StrCat("OK ", messages);
  std::string word = absl::StrCat(end.code, end.reason().empty() ? "" : " ", end.reason());
  if (messages > 0) absl::StrAppend(&word, " after ", messages);
  return word;
}

bool PokeHttp2(int port, const Metadata& fields) {
  const http::Fd fd = http::Connect(port);
  const timeval patience{.tv_sec = 20, .tv_usec = 0};
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  std::string head;
  for (const auto& [key, value] : fields) head += '\0' + HpackString(key) + HpackString(value);
  constexpr int kData = 0, kHeaders = 1, kReset = 3, kSettings = 4, kGoaway = 7, kEnds = 1;
  const std::string empty_message(5, '\0');
  http::WriteAll(fd.get(),
                 absl::StrCat("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Frame(kSettings, 0, 0, ""),
                              Frame(kHeaders, 4, 1, head), Frame(kData, kEnds, 1, empty_message)));
  std::string frame, payload;
  while (ReadBytes(fd.get(), 9, &frame)) {
    const auto byte = [&](int i) { return static_cast<unsigned char>(frame[i]); };
    const size_t size = byte(0) << 16 | byte(1) << 8 | byte(2);
    if (!ReadBytes(fd.get(), size, &payload)) return true;
    const int type = byte(3);
    const bool ends = (type == kHeaders || type == kData) && (byte(4) & kEnds) != 0;
    if (type == kGoaway || (byte(8) == 1 && (ends || type == kReset))) return true;
  }
  return errno != EAGAIN;  // closed, and not patience's end
}

ForbiddenBed::ForbiddenBed()
    : bed_({.two_merchants = true,
            .configure = [](const TestDirectory& directory, config::Config& config) {
              config.mutable_webhooks()->set_max_body_bytes(4096);
              AddCaller(directory, "victim", {kMerchant}, {"*"}, &config);
              AddCaller(directory, "thief", {kMerchant2}, {"*"}, &config);
              // Each may do one thing, that is nearly nothing.
              AddCaller(directory, "placer", {kMerchant2}, {"locations.read"}, &config);
              AddCaller(directory, "auditor", {kMerchant2}, {"outcomes.read"}, &config);
            }}) {
  const CallOptions victim = AsCaller("victim");
  device = bed_.NewDevice("Till 1", victim);
  bed_.NewDevice("Till 2", victim);
  auto order = Text<v1::CreateSessionRequest>(OrderText(device));
  order.set_request_id(request_id);
  const auto sold = bed_.Call(&v1::SessionService::Stub::CreateSession, order, victim);
  EXPECT_TRUE(Ok(sold));
  session = sold.response.session().session_id();
  bed_.NewSession(device, victim);
  EventFeed feed(channel(), "position: START_POSITION_FROM_OLDEST", victim);
  feed.NextEvent();
  cursor = feed.cursor();
  v1::ListDevicesRequest devices;
  devices.set_page_size(1);
  page_token =
      bed_.Call(&v1::DeviceService::Stub::ListDevices, devices, victim).response.next_page_token();
  EXPECT_NE(page_token, "");
  v1::ListCreateOutcomesRequest outcomes;
  outcomes.set_page_size(1);
  outcomes_token = bed_.Call(&v1::OutcomeService::Stub::ListCreateOutcomes, outcomes, victim)
                       .response.next_page_token();
  EXPECT_NE(outcomes_token, "");
  v1::ListSessionsRequest sessions;
  sessions.set_page_size(1);
  sessions_token = bed_.Call(&v1::SessionHistoryService::Stub::ListSessions, sessions, victim)
                       .response.next_page_token();
  EXPECT_NE(sessions_token, "");
  bed_.gateway.WaitForMetric("ipp_webhooks_total", 2);
}

std::string ForbiddenBed::SessionNow() const {
  v1::GetSessionRequest request;
  request.set_session_id(session);
  const auto reply = bed_.Call(&v1::SessionService::Stub::GetSession, request, AsCaller("victim"));
  EXPECT_TRUE(Ok(reply));
  return reply.response.session().SerializeAsString();
}

}  // namespace ipp
