#include "server/json/scalars.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "server/json/lenient_text.h"
#include "server/json/rapid.h"

namespace ipp::json {
namespace {

class Visitor {
 public:
  Visitor(InPlaceText* stream, VisitScalar visit, int max_depth)
      : stream_(stream), visit_(visit), max_depth_(static_cast<size_t>(max_depth)) {}

  // RapidJSON's handler.
  bool Null() { return Came(); }
  bool Bool(bool value) { return Scalar(value ? "true" : "false"); }
  bool RawNumber(const char* text, rapidjson::SizeType size, bool) {
    return Scalar({text - size, size});
  }
  bool String(const char* text, rapidjson::SizeType size, bool) {
    if (stream_->TakeSpoilt()) return Came();
    return Scalar({text, size});
  }
  bool Key(const char* text, rapidjson::SizeType size, bool) {
    path_.back().key = stream_->TakeSpoilt() ? "" : absl::string_view(text, size);
    return true;
  }
  bool StartObject() { return Enter(-1); }
  bool StartArray() { return Enter(0); }
  bool EndObject(rapidjson::SizeType) { return Leave(); }
  bool EndArray(rapidjson::SizeType) { return Leave(); }
  bool Int(int) { return false; }
  bool Uint(unsigned) { return false; }
  bool Int64(int64_t) { return false; }
  bool Uint64(uint64_t) { return false; }
  bool Double(double) { return false; }

  bool too_deep() const { return path_.size() >= max_depth_; }

 private:
  bool Scalar(absl::string_view value) {
    visit_(path_, value);
    return Came();
  }
  // Counts a value: if it is in an array, the index advances to the next one.
  bool Came() {
    if (!path_.empty() && path_.back().index >= 0) ++path_.back().index;
    return true;
  }
  bool Enter(int index) {
    if (too_deep()) return false;
    path_.push_back({"", index});
    return true;
  }
  bool Leave() {
    path_.pop_back();
    return Came();
  }

  InPlaceText* const stream_;
  const VisitScalar visit_;
  const size_t max_depth_;
  std::vector<Step> path_;
};

}  // namespace

absl::Status VisitScalars(absl::string_view text, VisitScalar visit, const ReadOptions& options) {
  absl::ConsumePrefix(&text, kByteOrderMark);
  if (text.size() > options.max_bytes) return absl::InvalidArgumentError("too long");
  std::string copy(text);
  TurnLoneHalves(copy.data(), copy.size());
  SpoilHugeNumbers(copy.data(), copy.size());
  copy.append(InPlaceText::kPadding, '\0');
  InPlaceText stream(copy.data(), /*lenient=*/true);
  Visitor visitor(&stream, visit, options.max_depth);
  SaxReader sax;
  const rapidjson::ParseResult result = sax.Parse<kReadFlags>(stream, visitor);
  if (result.IsError() || stream.Tell() != text.size()) {
    return absl::InvalidArgumentError(absl::StrCat("not valid JSON at byte ", stream.Tell()));
  }
  return absl::OkStatus();
}

}  // namespace ipp::json
