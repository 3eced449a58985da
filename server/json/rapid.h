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

// RapidJSON 1.1.0, configured for untrusted input. Nothing else in the module includes it.
//
// Input cannot trigger its assertions, or the undefined behaviour that they guard against:
//  * kParseNumbersAsStringsFlag: numbers never pass through its own conversion, whose
//    full-precision variant overruns a buffer on hostile digits.
//  * kParseIterativeFlag: nesting uses heap, not stack, and the handler rejects it at max_depth.
//  * Its own UTF-8 validation reads up to three bytes past the end of a text that stops inside a
//    character, and accepts an escaped half of a surrogate pair: Utf8 below replaces it.
//  * The stream is passed by reference (no StreamTraits): the copies that RapidJSON makes around
//    every token cost more than keeping the pointers in registers gains.
//  * Lengths fit its 32-bit SizeType: Read rejects longer texts.
namespace ipp::json {

// Text that is parsed in place: strings are unescaped where they stand. It must be followed by
// kPadding zero bytes; the first is the only bounds check that RapidJSON makes.
class InPlaceText {
 public:
  using Ch = char;
  static constexpr size_t kPadding = 8;

  // `lenient`: bytes that are not UTF-8 are accepted, and the string that contains them is marked
  // as spoilt.
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
  // Called for an escape that is not a character. RapidJSON cannot report an error at this point.
  void SpoilCharacter() { spoilt_ = true; }
  bool PassBadByte() {
    spoilt_ = spoilt_ || lenient_;
    return lenient_;
  }
  bool spoilt() const { return spoilt_; }
  // Whether a string was spoilt since the last call; resets the mark.
  bool TakeSpoilt() { return std::exchange(spoilt_, false); }

  const char* src_;

 private:
  char* dst_;
  char* begin_;
  const bool lenient_;
  bool spoilt_ = false;
};

// The output of the writer: a buffer of its own, then the string. Flush must be called at the end,
// or the rest is lost.
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

// UTF-8 as defined by RFC 3629, a run of characters at a time. Used for reading and writing; both
// texts end in a zero byte, so that nothing is read past the end.
struct Utf8 : rapidjson::UTF8<char> {
  // RapidJSON also compiles its out-of-place parsing, with a stream of its own as Out. That code is
  // never run; the `requires` clauses make it empty.

  // Writes a character that was given as an escape (\u00e5).
  template <typename Out>
  static void Encode(Out& out, unsigned character) {
    if constexpr (requires { out.SpoilCharacter(); }) {
      if (character >= 0xD800 && character <= 0xDFFF) out.SpoilCharacter();
    }
    rapidjson::UTF8<char>::Encode(out, character);
  }

  // True if all eight bytes at `at` are plain. False does not mean that one of them is special.
  static bool ArePlain8(const char* at);

  // Copies at least one character and all that follow, up to one that JSON treats specially.
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

  // Length of the two- to four-byte character at `at`; 0 if it is not valid. Reads no further than
  // the first byte that does not belong to it.
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

// Eight bytes at once: in each byte, the highest bit remains set if it was set, or if the byte is
// below a space, a quote or a backslash. A borrow can also mark a plain byte behind one of those,
// which is harmless.
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

// The nesting is stored in a buffer on the stack first: 32 levels need no allocation.
using LevelAllocator = rapidjson::MemoryPoolAllocator<>;
using SaxReader = rapidjson::GenericReader<Utf8, Utf8, LevelAllocator>;
using SaxWriter = rapidjson::Writer<StringSink, Utf8, Utf8, LevelAllocator,
                                    rapidjson::kWriteValidateEncodingFlag>;

inline constexpr unsigned kReadFlags =
    rapidjson::kParseInsituFlag | rapidjson::kParseIterativeFlag |
    rapidjson::kParseNumbersAsStringsFlag | rapidjson::kParseValidateEncodingFlag;

}  // namespace ipp::json

// RapidJSON's hook for copying the beginning of a string quickly; Utf8 handles the rest.
template <>
inline bool ipp::json::SaxWriter::ScanWriteUnescapedString(
    rapidjson::GenericStringStream<ipp::json::Utf8>& is, size_t length) {
  const char* const begin = is.src_;
  const char* const end = is.head_ + length;
  while (end - is.src_ >= 8 && ipp::json::Utf8::ArePlain8(is.src_)) is.src_ += 8;
  if (is.src_ != begin) os_->Append(begin, static_cast<size_t>(is.src_ - begin));
  return is.src_ < end;
}
