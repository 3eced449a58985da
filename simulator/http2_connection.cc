#include "simulator/http2_connection.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <string_view>
#include <utility>

namespace ipp::simulator {
namespace {

namespace asio = boost::asio;

constexpr size_t kOutputSize = 64 * 1024;

}  // namespace

Http2Connection::Http2Connection(std::unique_ptr<Wire> wire, int number,
                                 std::shared_ptr<const Settings> settings, Leave leave)
    : ServerConnection(std::move(settings), std::move(leave)),
      wire_(std::move(wire)),
      session_(ServerConnection::settings().options, number, *this) {}

void Http2Connection::CloseIfIdle(SteadyTime now) {
  if ((in_hand_ > 0 && stage_ != Stage::kOver) || !IdleAt(now)) return;
  if (stage_ == Stage::kServing && !writing_) SayGoodbye();
  Drop();
}

bool Http2Connection::CloseIfUnused() {
  if (stage_ != Stage::kServing || writing_ || in_hand_ > 0 || !session_.unused()) return false;
  SayGoodbye();
  return true;
}

void Http2Connection::SayGoodbye() {
  session_.GoAway();
  session_.Send(&output_, kOutputSize);
  wire_->FinishNow(output_, shared_from_this());
  stage_ = Stage::kOver;
}

Admission Http2Connection::OnHead(Stream& stream) {
  const auto& [options, hooks] = settings();
  // Requests that were reset wait for their handlers without counting as streams, so they are
  // bounded here.
  if (in_hand_ >= 2 * size_t{options.max_streams}) return Admission::kRefuse;
  const Admission admission = hooks.admit ? hooks.admit(stream.request) : Admission::kRead;
  if (admission == Admission::kReset) {
    wire_->Reset();
    Drop();
  }
  return admission;
}

void Http2Connection::OnRequest(std::shared_ptr<Stream> stream) {
  ++in_hand_;
  Request& request = stream->request;
  settings().hooks.handle(request,
                          [weak = weak_from_this(), stream = std::move(stream)](Response response) {
                            if (const auto self = weak.lock())
                              self->Answer(stream, std::move(response));
                          });
}

void Http2Connection::OnGone(Stream& stream) {
  if (stream.silent) --in_hand_;
  pacers_.erase(stream.id);
  // With its client's RST_STREAM too: those behind it wait for nothing else.
  if (!stream.last || stage_ != Stage::kServing) return;
  session_.GoAwayBefore(stream);
  End(Stage::kFlushing);
}

void Http2Connection::Answer(const std::shared_ptr<Stream>& stream, Response response) {
  --in_hand_;
  if (stage_ != Stage::kServing || !session_.Has(*stream)) return;
  switch (response.ending) {
    case Ending::kSilent:
      stream->silent = true;
      ++in_hand_;
      break;
    case Ending::kReset:
      wire_->Reset();
      return Drop();
    case Ending::kClosed:
      End(Stage::kStopping);
      break;
    case Ending::kRefused:
      session_.Refuse(*stream);
      break;
    case Ending::kGoAwayBefore:
      session_.GoAwayBefore(*stream);
      End(Stage::kFlushing);
      break;
    case Ending::kGoAwayAfter:
      session_.GoAway();
      End(Stage::kFlushing);
      break;
    case Ending::kGoAwayAnswer:
      session_.GoAway();
      session_.Answer(*stream, std::move(response));
      break;
    case Ending::kSlowBody:
      AnswerSlowly(stream, std::move(response));
      break;
    case Ending::kWhole:
    case Ending::kCutBody:
      session_.Answer(*stream, std::move(response));
      break;
  }
  Flush();
}

void Http2Connection::AnswerSlowly(const std::shared_ptr<Stream>& stream, Response response) {
  const auto time = response.body_time;
  session_.Answer(*stream, std::move(response));
  const size_t size = stream->body.size();
  if (size == 0) return;
  const size_t pieces = std::min(size, kPiecesOfABody);
  pacers_.emplace(stream->id, wire_->get_executor());
  Dribble(stream, (size + pieces - 1) / pieces, time / pieces);
}

// Pauses before each piece, so that the head arrives first and alone.
void Http2Connection::Dribble(const std::shared_ptr<Stream>& stream, size_t piece,
                              std::chrono::milliseconds pause) {
  const auto pacer = pacers_.find(stream->id);
  if (pacer == pacers_.end()) return;  // the stream is gone
  pacer->second.expires_after(pause);
  pacer->second.async_wait([self = shared_from_this(), stream, piece, pause](ErrorCode stopped) {
    if (stopped) return;
    self->session_.Release(*stream, piece);
    self->Flush();
    self->Dribble(stream, piece, pause);
  });
}

void Http2Connection::Flush() {
  if (receiving_ || writing_ || stage_ == Stage::kOver) return;
  if (stage_ != Stage::kStopping) {
    output_.clear();
    session_.Send(&output_, kOutputSize);
    if (!output_.empty()) {
      writing_ = true;
      asio::async_write(
          *wire_, asio::buffer(output_),
          [self = shared_from_this()](ErrorCode error, size_t) { self->OnWritten(error); });
      return;
    }
  }
  if (stage_ == Stage::kServing && !session_.done()) return Read();
  stage_ = Stage::kOver;
  pacers_.clear();
  wire_->Finish(shared_from_this());
}

void Http2Connection::OnWritten(ErrorCode error) {
  writing_ = false;
  Touch();
  error ? Drop() : Flush();
}

void Http2Connection::Read() {
  if (reading_) return;
  reading_ = true;
  wire_->async_read_some(asio::buffer(input_),
                         [self = shared_from_this()](ErrorCode error, size_t count) {
                           self->reading_ = false;
                           self->OnRead(error, count);
                         });
}

void Http2Connection::OnRead(ErrorCode error, size_t count) {
  if (stage_ == Stage::kOver) return;
  if (error) return Drop();
  Touch();
  receiving_ = true;
  if (!session_.Receive({input_.data(), count})) End(Stage::kFlushing);
  receiving_ = false;
  Flush();
}

void Http2Connection::End(Stage stage) {
  stage_ = std::max(stage_, stage);
  session_.StopListening();
}

void Http2Connection::Drop() {
  stage_ = Stage::kOver;
  session_.StopListening();
  pacers_.clear();
  wire_->Close();
}

}  // namespace ipp::simulator
