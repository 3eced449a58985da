#include "tests/simulator/h2_client.h"

#include <nghttp2/nghttp2.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <vector>

#include "tests/support/tls_front.h"

namespace ipp::simulator {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using std::chrono::milliseconds;
using tcp = asio::ip::tcp;

constexpr milliseconds kPatience{30'000};

const http::TestCertificate& Certificate() {
  static const http::TestCertificate certificate;
  return certificate;
}

std::string Text(const uint8_t* bytes, size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

nghttp2_nv Field(const std::string& name, const std::string& value) {
  const auto bytes = [](const std::string& text) {
    return reinterpret_cast<uint8_t*>(const_cast<char*>(text.data()));
  };
  return {bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

}  // namespace

const std::string& CertificateFile() {
  static const std::string file = Certificate().cert_file();
  return file;
}

const std::string& KeyFile() {
  static const std::string file = Certificate().key_file();
  return file;
}

bool IsReset(const error_code& end) { return end == asio::error::connection_reset; }
bool IsClosed(const error_code& end) { return end == asio::error::eof; }
bool IsTruncated(const error_code& end) { return end == asio::ssl::error::stream_truncated; }

std::string H2Reply::Header(const std::string& name) const { return AsReply().Header(name); }

Reply H2Reply::AsReply() const {
  Reply reply;
  reply.status = status;
  reply.headers = headers;
  reply.body = body;
  return reply;
}

struct H2Client::Connection {
  struct Upload {
    std::string bytes;
    bool end = false;
  };

  asio::io_context loop;
  asio::ssl::context context{asio::ssl::context::tls_client};
  asio::ssl::stream<tcp::socket> stream{loop, context};
  nghttp2_session* session = nullptr;
  std::map<int32_t, H2Reply> replies;
  std::map<int32_t, Upload> uploads;
  std::optional<H2GoAway> goaway;
  error_code end;  // none: it is open
  bool reset = false;
  int pings = 0;

  ~Connection() { nghttp2_session_del(session); }
  static Connection& Of(void* self) { return *static_cast<Connection*>(self); }

  void Open(uint16_t port);
  void Flush();
  // False when nothing came in time.
  bool Pump(milliseconds patience = kPatience);

  static int OnHeader(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name,
                      size_t name_size, const uint8_t* value, size_t value_size, uint8_t,
                      void* self) {
    H2Reply& reply = Of(self).replies[frame->hd.stream_id];
    const std::string key = Text(name, name_size);
    const std::string text = Text(value, value_size);
    if (key == ":status" && text.front() == '1') {
      reply.informed = std::stoi(text);
    } else if (key == ":status") {
      reply.status = std::stoi(text);
    } else {
      reply.headers.emplace_back(key, text);
    }
    return 0;
  }

  static int OnData(nghttp2_session*, uint8_t, int32_t id, const uint8_t* bytes, size_t size,
                    void* self) {
    Of(self).replies[id].body += Text(bytes, size);
    return 0;
  }

  static int OnFrame(nghttp2_session*, const nghttp2_frame* frame, void* self) {
    Connection& at = Of(self);
    const bool carries = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (carries && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
      at.replies[frame->hd.stream_id].ended = true;
    } else if (frame->hd.type == NGHTTP2_RST_STREAM) {
      at.replies[frame->hd.stream_id].reset = frame->rst_stream.error_code;
    } else if (frame->hd.type == NGHTTP2_GOAWAY) {
      at.goaway = H2GoAway{frame->goaway.last_stream_id, frame->goaway.error_code};
    } else if (frame->hd.type == NGHTTP2_PING && (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0) {
      ++at.pings;
    }
    return 0;
  }

  static ssize_t ReadUpload(nghttp2_session*, int32_t id, uint8_t* out, size_t size,
                            uint32_t* flags, nghttp2_data_source*, void* self) {
    Upload& upload = Of(self).uploads[id];
    const size_t count = std::min(size, upload.bytes.size());
    std::copy_n(upload.bytes.data(), count, out);
    upload.bytes.erase(0, count);
    if (upload.end && upload.bytes.empty()) *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (count == 0 && !upload.end) return NGHTTP2_ERR_DEFERRED;
    return static_cast<ssize_t>(count);
  }
};

void H2Client::Connection::Open(uint16_t port) {
  error_code error;
  stream.next_layer().connect({asio::ip::address_v4::loopback(), port}, error);
  ASSERT_FALSE(error) << error.message();
  stream.next_layer().set_option(tcp::no_delay(true), error);
  SSL_set_alpn_protos(stream.native_handle(), reinterpret_cast<const uint8_t*>("\x02h2"), 3);
  stream.handshake(asio::ssl::stream_base::client, error);
  end = error;  // with refuse_connection, for one
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, &OnHeader);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, &OnData);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, &OnFrame);
  nghttp2_session_client_new(&session, callbacks, this);
  nghttp2_session_callbacks_del(callbacks);
  nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, nullptr, 0);
  Flush();
}

void H2Client::Connection::Flush() {
  while (!end) {
    const uint8_t* bytes = nullptr;
    const ssize_t size = nghttp2_session_mem_send(session, &bytes);
    if (size <= 0) return;
    error_code error;
    asio::write(stream, asio::buffer(bytes, static_cast<size_t>(size)), error);
    // The kernel tells of a RST once, the writer or the reader.
    if (IsReset(error)) reset = true;
    if (error) return;
  }
}

bool H2Client::Connection::Pump(milliseconds patience) {
  std::array<uint8_t, 16 * 1024> bytes;
  const auto read = [&] {
    // Asio keeps what it has read from the socket and not decrypted, so only reading tells whether
    // there is something.
    error_code ignored;
    stream.next_layer().non_blocking(true, ignored);
    const size_t size = stream.read_some(asio::buffer(bytes), end);
    stream.next_layer().non_blocking(false, ignored);
    return size;
  };
  size_t size = read();
  for (; end == asio::error::would_block; size = read()) {
    pollfd readable{stream.next_layer().native_handle(), POLLIN, 0};
    if (::poll(&readable, 1, static_cast<int>(patience.count())) == 0) {
      end.clear();
      return false;
    }
  }
  if (IsTruncated(end) && reset) end = asio::error::connection_reset;
  const ssize_t taken = nghttp2_session_mem_recv(session, bytes.data(), size);
  EXPECT_EQ(taken, static_cast<ssize_t>(size)) << nghttp2_strerror(static_cast<int>(taken));
  Flush();
  return true;
}

H2Client::H2Client(uint16_t port) : connection_(std::make_unique<Connection>()) {
  connection_->Open(port);
}
H2Client::~H2Client() = default;
H2Client::H2Client(H2Client&&) noexcept = default;

const std::optional<H2GoAway>& H2Client::goaway() const { return connection_->goaway; }

int32_t H2Client::Send(const std::string& method, const std::string& target,
                       const std::string& body, const Headers& headers) {
  Headers all = headers;
  if (!body.empty()) all.emplace_back("content-type", "application/json");
  const int32_t stream = SendHead(method, target, all);
  Continue(stream, body);
  return stream;
}

int32_t H2Client::SendHead(const std::string& method, const std::string& target,
                           const Headers& headers) {
  Headers all = {{":method", method},
                 {":scheme", "https"},
                 {":authority", "localhost"},
                 {":path", target},
                 {"authorization", std::string("Basic ") + kKey},
                 {"x-merchant-id", kMerchantId}};
  all.insert(all.end(), headers.begin(), headers.end());
  std::vector<nghttp2_nv> fields;
  for (const auto& [name, value] : all) fields.push_back(Field(name, value));
  nghttp2_data_provider upload{};
  upload.read_callback = &Connection::ReadUpload;
  const int32_t stream = nghttp2_submit_request(connection_->session, nullptr, fields.data(),
                                                fields.size(), &upload, nullptr);
  EXPECT_GT(stream, 0) << nghttp2_strerror(stream);
  connection_->Flush();
  return stream;
}

void H2Client::Continue(int32_t stream, const std::string& body, bool end) {
  auto& upload = connection_->uploads[stream];
  upload.bytes += body;
  upload.end = end;
  nghttp2_session_resume_data(connection_->session, stream);
  connection_->Flush();
}

void H2Client::ResetStream(int32_t stream) {
  nghttp2_submit_rst_stream(connection_->session, NGHTTP2_FLAG_NONE, stream, NGHTTP2_CANCEL);
  connection_->Flush();
}

void H2Client::SetWindow(uint32_t bytes) {
  const nghttp2_settings_entry entry{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, bytes};
  nghttp2_submit_settings(connection_->session, NGHTTP2_FLAG_NONE, &entry, 1);
  connection_->Flush();
}

void H2Client::SendRaw(std::string_view bytes) {
  error_code ignored;
  asio::write(connection_->stream, asio::buffer(bytes), ignored);
}

H2Reply H2Client::Wait(int32_t stream) {
  Connection& at = *connection_;
  const auto over = [&] { return at.replies[stream].ended || at.replies[stream].reset; };
  while (!over() && !at.end) {
    const bool came = at.Pump();
    EXPECT_TRUE(came) << "no answer on stream " << stream;
    if (!came) break;
  }
  return at.replies[stream];
}

bool H2Client::WaitForHead(int32_t stream) {
  Connection& at = *connection_;
  while (at.replies[stream].status == 0 && !at.end && at.Pump()) {
  }
  return at.replies[stream].status != 0;
}

bool H2Client::Ping() {
  Connection& at = *connection_;
  const int wanted = at.pings + 1;
  nghttp2_submit_ping(at.session, NGHTTP2_FLAG_NONE, nullptr);
  at.Flush();
  while (at.pings < wanted && !at.end && at.Pump()) {
  }
  return at.pings >= wanted;
}

error_code H2Client::WaitForEnd() {
  Connection& at = *connection_;
  while (!at.end && at.Pump()) {
  }
  EXPECT_TRUE(at.end) << "the connection did not end";
  return at.end;
}

const H2Reply& H2Client::Seen(int32_t stream) { return connection_->replies[stream]; }

bool H2Client::IsOpenAfter(milliseconds time) {
  Connection& at = *connection_;
  const auto until = std::chrono::steady_clock::now() + time;
  for (auto left = time; left.count() > 0 && !at.end;) {
    at.Pump(left);
    left = std::chrono::ceil<milliseconds>(until - std::chrono::steady_clock::now());
  }
  return !at.end;
}

void SimulatorTlsTest::StartTls(Simulator::Options options) {
  options.tls_port = 0;
  options.tls_certificate_file = CertificateFile();
  options.tls_key_file = KeyFile();
  options.control_port = 0;
  Start(options);
  control_ = std::make_unique<Client>(simulator_->control_port());
}

void SimulatorTlsTest::Rules(const std::string& rules) {
  const Reply reply = control_->Call("PUT", "/_sim/faults", {{"Content-Type", "application/json"}},
                                     "{\"faults\":[" + rules + "]}");
  ASSERT_EQ(reply.status, 200) << reply.body;
}

boost::json::value SimulatorTlsTest::Truth(const std::string& what) {
  return control_->Call("GET", "/_sim/" + what).Json();
}

void SimulatorTlsTest::WaitForRequests(int count) {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (At(Truth("requests?limit=0"), "total") != std::to_string(count)) {
    ASSERT_LT(std::chrono::steady_clock::now(), until) << "not so many requests: " << count;
  }
}

}  // namespace ipp::simulator
