#pragma once

#include <rapidjson/allocators.h>
#include <rapidjson/error/en.h>
#include <rapidjson/reader.h>
#include <rapidjson/writer.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"

// RapidJSON 1.1.0 set up for bytes from outside; nothing else in the module includes it.
//
// Its assertions (and what would be undefined behaviour without them) cannot be reached by input:
//  * kParseNumbersAsStringsFlag: numbers never go through its own conversion, whose
//    full-precision variant overruns a buffer on hostile digits.
//  * kParseIterativeFlag: nesting takes heap, not stack, and the handler refuses it at max_depth.
//  * Its own UTF-8 validation reads up to three bytes past the end of a text that stops inside a
//    character, and lets an escaped half of a surrogate pair through: Utf8 below replaces it.
//  * The stream is handed on by reference (no StreamTraits): copies of it, as RapidJSON makes them
//    around every token, cost more than the pointers in registers gain.
//  * Lengths fit its 32-bit SizeType: Read refuses longer texts.
namespace ipp::json {

// Text that is parsed in place: strings are unescaped where they stand. It must be followed by
// kPadding zero bytes; the first is the only bounds check that RapidJSON makes.
class InPlaceText {
 public:
  using Ch = char;
  static constexpr size_t kPadding = 8;

  // `lenient`: bytes that are no UTF-8 are passed over too, and spoil the string that they are in.
  InPlaceText(char* text, bool lenient) : src_(text), dst_(text), begin_(text), lenient_(lenient) {}

  char Peek() const { return *src_; }
  char Take() { return *src_++; }
  size_t Tell() const { return static_cast<size_t>(src_ - begin_); }

  char* PutBegin() { return dst_ = begin_ + Tell(); }
  void Put(char c) { *dst_++ = c; }
  size_t PutEnd(const char* begin) { return static_cast<size_t>(dst_ - begin); }
  void Flush() {}

  void Append(const char* run, size_t size) {
    if (dst_ != run) std::memmove(dst_, run, size);
    dst_ += size;
  }
  // An escape that is no character was met. RapidJSON has no way to fail there.
  void SpoilCharacter() { spoilt_ = true; }
  bool PassBadByte() {
    spoilt_ = spoilt_ || lenient_;
    return lenient_;
  }
  bool spoilt() const { return spoilt_; }
  // Whether a string since the last call was spoilt.
  bool TakeSpoilt() { return std::exchange(spoilt_, false); }

  const char* src_;

 private:
  char* dst_;
  char* begin_;
  const bool lenient_;
  bool spoilt_ = false;
};

// Where the writer puts its text: a buffer of its own, then the string. Nothing is lost as long as
// Flush is called at the end.
class StringSink {
 public:
  using Ch = char;

  explicit StringSink(std::string* out) : out_(out) {}
  StringSink(const StringSink&) = delete;
  StringSink& operator=(const StringSink&) = delete;

  void Put(char c) {
    if (used_ == sizeof(buffer_)) Flush();
    buffer_[used_++] = c;
  }
  void Append(const char* run, size_t size) {
    if (size > sizeof(buffer_) - used_) {
      Flush();
      if (size > sizeof(buffer_)) {
        out_->append(run, size);
        return;
      }
    }
    std::memcpy(buffer_ + used_, run, size);
    used_ += size;
  }
  void Flush() {
    out_->append(buffer_, used_);
    used_ = 0;
  }

 private:
  std::string* out_;
  size_t used_ = 0;
  char buffer_[1024];
};

// UTF-8 as RFC 3629 has it, a run of characters at a time. Both directions use it; both end in a
// zero byte, so that nothing is read behind the end.
struct Utf8 : rapidjson::UTF8<char> {
  // RapidJSON also compiles its way of parsing out of place, with a stream of its own as Out. That
  // is never run, and the `requires` leave it empty.

  // Writes a character that was escaped (\u00e5).
  template <typename Out>
  static void Encode(Out& out, unsigned character) {
    if constexpr (requires { out.SpoilCharacter(); }) {
      if (character >= 0xD800 && character <= 0xDFFF) out.SpoilCharacter();
    }
    rapidjson::UTF8<char>::Encode(out, character);
  }

  // Whether none of the eight bytes at `at` needs a closer look.
  static bool ArePlain8(const char* at);

  // Copies at least one character, and all that follow up to one that JSON treats specially.
  template <typename In, typename Out>
  static bool Validate(In& in, Out& out) {
    const char* const begin = in.src_;
    const char* at = begin;
    bool valid = true;
    for (;;) {
      if constexpr (requires { In::kPadding; }) {
        while (ArePlain8(at)) at += 8;
      }
      while (IsPlain(static_cast<unsigned char>(*at))) ++at;
      if (static_cast<unsigned char>(*at) < 0x80) break;
      const size_t size = Multibyte(reinterpret_cast<const unsigned char*>(at));
      if (size == 0) {
        if constexpr (requires { in.PassBadByte(); }) {
          if (in.PassBadByte()) {
            ++at;
            continue;
          }
        }
        valid = false;
        break;
      }
      at += size;
    }
    in.src_ = at;
    if constexpr (requires { out.Append(begin, size_t{0}); }) {
      out.Append(begin, static_cast<size_t>(at - begin));
    }
    return valid;
  }

  // Length of the character of two to four bytes at `at`, 0 when it is none. Looks no further than
  // a byte that does not belong to it.
  static size_t Multibyte(const unsigned char* at);

 private:
  static bool IsPlain(unsigned char c);
};

namespace internal {
struct PlainTable {
  bool plain[256] = {};
  constexpr PlainTable() {
    for (int c = 0x20; c < 0x80; ++c) plain[c] = c != '"' && c != '\\';
  }
};
inline constexpr PlainTable kPlain;
}  // namespace internal

inline bool Utf8::IsPlain(unsigned char c) { return internal::kPlain.plain[c]; }

// Eight bytes at once: in each, the highest bit is left when it is set, below a space, a quote or a
// backslash. A borrow can also mark a plain byte behind one of those, which costs nothing.
inline bool Utf8::ArePlain8(const char* at) {
  constexpr uint64_t kEach = 0x0101010101010101;
  uint64_t bytes;
  std::memcpy(&bytes, at, sizeof(bytes));
  const uint64_t below_space = bytes - kEach * 0x20;
  const uint64_t quote = (bytes ^ kEach * '"') - kEach;
  const uint64_t backslash = (bytes ^ kEach * '\\') - kEach;
  return ((bytes | below_space | quote | backslash) & kEach * 0x80) == 0;
}

inline size_t Utf8::Multibyte(const unsigned char* at) {
  const auto tail = [](unsigned char c) { return (c & 0xC0) == 0x80; };
  if (at[0] < 0xC2) return 0;
  if (at[0] < 0xE0) return tail(at[1]) ? 2 : 0;
  if (at[0] < 0xF0) {
    if (!tail(at[1]) || !tail(at[2])) return 0;
    if (at[0] == 0xE0 && at[1] < 0xA0) return 0;   // overlong
    if (at[0] == 0xED && at[1] >= 0xA0) return 0;  // surrogate
    return 3;
  }
  if (at[0] > 0xF4 || !tail(at[1]) || !tail(at[2]) || !tail(at[3])) return 0;
  if (at[0] == 0xF0 && at[1] < 0x90) return 0;   // overlong
  if (at[0] == 0xF4 && at[1] >= 0x90) return 0;  // above U+10FFFF
  return 4;
}

// Nesting is kept in a buffer on the stack first: 32 levels need no allocation.
using LevelAllocator = rapidjson::MemoryPoolAllocator<>;
using SaxReader = rapidjson::GenericReader<Utf8, Utf8, LevelAllocator>;
using SaxWriter = rapidjson::Writer<StringSink, Utf8, Utf8, LevelAllocator,
                                    rapidjson::kWriteValidateEncodingFlag>;

inline constexpr unsigned kReadFlags =
    rapidjson::kParseInsituFlag | rapidjson::kParseIterativeFlag |
    rapidjson::kParseNumbersAsStringsFlag | rapidjson::kParseValidateEncodingFlag;

}  // namespace ipp::json

// RapidJSON's own place for copying the beginning of a string fast; Utf8 takes what is left.
template <>
inline bool ipp::json::SaxWriter::ScanWriteUnescapedString(
    rapidjson::GenericStringStream<ipp::json::Utf8>& is, size_t length) {
  const char* const begin = is.src_;
  const char* const end = is.head_ + length;
  while (end - is.src_ >= 8 && ipp::json::Utf8::ArePlain8(is.src_)) is.src_ += 8;
  if (is.src_ != begin) os_->Append(begin, static_cast<size_t>(is.src_ - begin));
  return is.src_ < end;
}
