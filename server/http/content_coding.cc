#include "server/http/content_coding.h"

#include <zlib.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace ipp::http {
namespace {

constexpr size_t kMaxCodings = 5;  // libcurl's limit; one is usual

// zlib's names for the formats, in the argument for the window's size.
constexpr int kGzip = 15 + 16;
constexpr int kZlib = 15;
constexpr int kRawDeflate = -15;

class Inflater {
 public:
  explicit Inflater(int format) { ready_ = inflateInit2(&stream_, format) == Z_OK; }
  ~Inflater() {
    if (ready_) inflateEnd(&stream_);
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  Decoded Run(absl::string_view in, size_t max_bytes, std::string* out) {
    if (!ready_) return Decoded::kUnknownOrBroken;
    // zlib does not write to its input.
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
    stream_.avail_in = static_cast<uInt>(in.size());
    char chunk[16 * 1024];
    while (true) {
      stream_.next_out = reinterpret_cast<Bytef*>(chunk);
      stream_.avail_out = sizeof(chunk);
      const int result = inflate(&stream_, Z_NO_FLUSH);
      const size_t made = sizeof(chunk) - stream_.avail_out;
      if (made > max_bytes - out->size()) return Decoded::kTooLarge;
      out->append(chunk, made);
      if (result == Z_STREAM_END) {
        if (stream_.avail_in == 0) return Decoded::kWhole;
        // A gzip file may consist of several members (RFC 1952, 2.2).
        if (inflateReset(&stream_) != Z_OK) return Decoded::kUnknownOrBroken;
      } else if (result != Z_OK || (made == 0 && stream_.avail_in == 0)) {
        return Decoded::kUnknownOrBroken;  // broken, or cut off
      }
    }
  }

 private:
  z_stream stream_{};
  bool ready_ = false;
};

Decoded Inflate(int format, size_t max_bytes, std::string* body) {
  std::string plain;
  const Decoded decoded = Inflater(format).Run(*body, max_bytes, &plain);
  if (decoded == Decoded::kWhole) *body = std::move(plain);
  return decoded;
}

Decoded TakeOff(absl::string_view coding, size_t max_bytes, std::string* body) {
  if (absl::EqualsIgnoreCase(coding, "gzip") || absl::EqualsIgnoreCase(coding, "x-gzip")) {
    return Inflate(kGzip, max_bytes, body);
  }
  if (absl::EqualsIgnoreCase(coding, "deflate")) {
    // The standard asks for zlib's header; some servers leave it out.
    const Decoded decoded = Inflate(kZlib, max_bytes, body);
    return decoded == Decoded::kUnknownOrBroken ? Inflate(kRawDeflate, max_bytes, body) : decoded;
  }
  return absl::EqualsIgnoreCase(coding, "identity") ? Decoded::kWhole : Decoded::kUnknownOrBroken;
}

}  // namespace

Decoded DecodeBody(absl::string_view codings, size_t max_bytes, std::string* body) {
  if (body->empty()) return Decoded::kWhole;
  std::vector<absl::string_view> names = absl::StrSplit(codings, ',');
  std::reverse(names.begin(), names.end());  // the last one was applied last
  Decoded decoded = names.size() > kMaxCodings ? Decoded::kUnknownOrBroken : Decoded::kWhole;
  for (size_t i = 0; i < names.size() && decoded == Decoded::kWhole; ++i) {
    const absl::string_view name = absl::StripAsciiWhitespace(names[i]);
    if (!name.empty()) decoded = TakeOff(name, max_bytes, body);
  }
  if (decoded != Decoded::kWhole) body->clear();
  return decoded;
}

std::string CodingTrouble(absl::string_view codings) {
  std::string named;
  for (const char c : codings.substr(0, 64)) {
    const auto byte = static_cast<unsigned char>(c);
    named += absl::ascii_isalnum(byte) || byte == '-' || byte == ',' || byte == ' ' ? c : '?';
  }
  return absl::StrCat("its content coding (", absl::AsciiStrToLower(named),
                      ") is not known to the gateway, or broken; gzip and deflate are known");
}

}  // namespace ipp::http
