#include "server/json/reader.h"

#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "server/json/compact.h"
#include "server/json/lenient_text.h"
#include "server/json/map_keys.h"

namespace ipp::json {
namespace {

using google::protobuf::Message;
using google::protobuf::Reflection;

// Longer keys are cut in the path of an unknown field, since the path is a metric label.
constexpr size_t kMaxUnknownKey = 64;

constexpr char kNoText[] = "not UTF-8";

absl::string_view View(const char* text, rapidjson::SizeType size) { return {text, size}; }

absl::string_view WantedValue(Kind kind) {
  switch (kind) {
    case Kind::kInt32:
    case Kind::kInt64:
    case Kind::kUint32:
    case Kind::kUint64:
      return "a whole number";
    case Kind::kFloat:
    case Kind::kDouble:
      return "a number";
    case Kind::kBool:
      return "true or false";
    case Kind::kString:
    case Kind::kBytes:
    case Kind::kEnum:
      return "a string";
    case Kind::kTimestamp:
      return "a time";
    case Kind::kMessage:
      break;
  }
  return "an object";
}

}  // namespace

Reader::Reader(const MessagePlan* plan, Message* message, const ReadOptions& options)
    : options_(options), root_plan_(plan), root_(message) {}

void Reader::SplitOff(absl::string_view items_key, const FieldPlan* items,
                      const MessagePlan* items_plan, Message* items_message) {
  items_key_ = items_key;
  items_ = items;
  items_plan_ = items_plan;
  items_message_ = items_message;
}

absl::Status Reader::Run(absl::string_view text) {
  if (options_.lenient) absl::ConsumePrefix(&text, kByteOrderMark);
  text_ = text;
  // Most answers fit here; for larger ones the cost of an allocation does not matter.
  char small[4096];
  std::unique_ptr<char[]> large;
  char* copy = small;
  if (text.size() + InPlaceText::kPadding > sizeof(small)) {
    large.reset(new char[text.size() + InPlaceText::kPadding]);
    copy = large.get();
  }
  text.copy(copy, text.size());
  std::memset(copy + text.size(), 0, InPlaceText::kPadding);
  if (options_.lenient) TurnLoneHalves(copy, text.size());
  InPlaceText stream(copy, options_.lenient);
  stream_ = &stream;

  alignas(8) char levels[512];
  LevelAllocator allocator(levels, sizeof(levels));
  SaxReader sax(&allocator);
  const rapidjson::ParseResult result = sax.Parse<kReadFlags>(stream, *this);
  if (!status_.ok()) return status_;
  if (result.IsError()) {
    rejected_number_ = result.Code() == rapidjson::kParseErrorNumberTooBig;
    Fail(absl::StrCat("not valid JSON at byte ", result.Offset(), ": ",
                      rapidjson::GetParseError_En(result.Code())));
  } else if (stream.Tell() != text.size()) {
    Fail(absl::StrCat("not valid JSON at byte ", stream.Tell(), ": a zero byte"));
  } else if (stream.spoilt()) {
    Fail("not valid JSON: half of a surrogate pair is escaped");
  }
  return status_;
}

bool Reader::Null() {
  if (skip_depth_ > 0) return true;
  if (frames_.empty()) return Fail("not a JSON object");
  Frame& top = frames_.back();
  if (top.shape == Shape::kSingular || top.field == nullptr) return true;
  if (top.shape == Shape::kMap && top.field->text_values) return StoreText(top, "null");
  ++top.index;
  return Refuse("null among values");
}

bool Reader::Bool(bool value) { return Scalar(Token::kBool, value ? "true" : "false"); }

bool Reader::RawNumber(const char* text, rapidjson::SizeType size, bool) {
  // The stream is shared, so RapidJSON asks for the begin of the number when the stream is already
  // at its end.
  return Scalar(Token::kNumber, View(text - size, size));
}

bool Reader::String(const char* text, rapidjson::SizeType size, bool) {
  if (options_.lenient && skip_depth_ == 0 && stream_->TakeSpoilt()) {
    return Scalar(Token::kSpoilt, "");
  }
  return Scalar(Token::kString, View(text, size));
}

bool Reader::Key(const char* text, rapidjson::SizeType size, bool) {
  if (skip_depth_ > 0) return true;
  Frame& top = frames_.back();
  const absl::string_view key = View(text, size);
  const bool spoilt = options_.lenient && stream_->TakeSpoilt();
  if (top.shape == Shape::kMap) {
    top.key = key;
    top.field = spoilt ? nullptr : top.map;
    if (spoilt) ReportUnreadable();
    return true;
  }
  if (items_ != nullptr && frames_.size() == 1) {
    const bool is_items = key == items_key_;
    top.message = is_items ? items_message_ : root_;
    top.plan = is_items ? items_plan_ : root_plan_;
    if (is_items) {
      top.field = items_;
      return true;
    }
  }
  top.field = top.plan->Find(key, &top.next);
  if (top.field == nullptr && options_.unknown_field) ReportUnknown(key);
  return true;
}

bool Reader::StartObject() {
  if (!Nest()) return false;
  if (skip_depth_ > 0) return Skip(keep_text_);
  if (frames_.empty()) {
    Enter(root_plan_, root_);
    return true;
  }
  Frame& top = frames_.back();
  if (top.field == nullptr) return Skip(false);
  const FieldPlan& field = *top.field;
  const Reflection* reflection = top.plan->reflection;
  if (top.shape == Shape::kRepeated) {
    ++top.index;
    if (field.kind != Kind::kMessage) return Expected(field) && Skip(false);
    Enter(field.child, AddChild(field, *top.plan, top.message));
    return true;
  }
  if (top.shape == Shape::kMap) {
    if (field.text_values) return Skip(true);
    const FieldPlan& value = field.child->value();
    if (value.kind != Kind::kMessage) return Expected(value) && Skip(false);
    Message* entry = AddEntry(top);
    if (entry == nullptr) return status_.ok() && Skip(false);
    Enter(value.child, field.child->reflection->MutableMessage(entry, value.field));
    return true;
  }
  if (field.shape == Shape::kMap) {
    frames_.push_back({Shape::kMap, top.message, top.plan, &field});
    frames_.back().map = &field;
    return true;
  }
  if (field.shape == Shape::kRepeated || field.kind != Kind::kMessage) {
    return Expected(field) && Skip(false);
  }
  if (reflection->HasField(*top.message, field.field)) {
    reflection->ClearField(top.message, field.field);
  }
  Enter(field.child, reflection->MutableMessage(top.message, field.field));
  return true;
}

bool Reader::StartArray() {
  if (!Nest()) return false;
  if (skip_depth_ > 0) return Skip(keep_text_);
  if (frames_.empty()) return Fail("not a JSON object");
  Frame& top = frames_.back();
  if (top.field == nullptr) return Skip(false);
  if (top.shape == Shape::kMap && top.field->text_values) return Skip(true);
  if (top.shape == Shape::kMap) return Expected(top.field->child->value()) && Skip(false);
  if (top.shape == Shape::kRepeated) {
    ++top.index;
    return Expected(*top.field) && Skip(false);
  }
  if (top.field->shape != Shape::kRepeated) return Expected(*top.field) && Skip(false);
  frames_.push_back({Shape::kRepeated, top.message, top.plan, top.field});
  return true;
}

bool Reader::EndObject(rapidjson::SizeType) {
  --depth_;
  if (skip_depth_ > 0) return EndSkipped();
  const Frame& top = frames_.back();
  if (top.shape == Shape::kMap) DropRepeatedKeys(*top.map, *top.plan, top.message);
  frames_.pop_back();
  return true;
}

bool Reader::EndArray(rapidjson::SizeType elements) { return EndObject(elements); }

bool Reader::Nest() {
  if (++depth_ <= options_.max_depth) return true;
  return Fail("nested too deep");
}

void Reader::Enter(const MessagePlan* plan, Message* message) {
  frames_.push_back({Shape::kSingular, message, plan, nullptr});
}

// RapidJSON reports a start, and an end, before it advances past the bracket.
bool Reader::Skip(bool keep_text) {
  if (skip_depth_++ == 0) {
    keep_text_ = keep_text;
    kept_from_ = stream_->Tell();
  }
  return true;
}

bool Reader::EndSkipped() {
  if (--skip_depth_ > 0) return true;
  const bool spoilt = options_.lenient && stream_->TakeSpoilt();
  if (!keep_text_) return true;
  keep_text_ = false;
  if (spoilt) return Refuse(kNoText);
  const size_t size = stream_->Tell() + 1 - kept_from_;
  return StoreText(frames_.back(), CompactJson(text_.substr(kept_from_, size)));
}

bool Reader::Scalar(Token token, absl::string_view text) {
  if (skip_depth_ > 0) return true;
  if (frames_.empty()) return Fail("not a JSON object");
  Frame& top = frames_.back();
  if (top.field == nullptr) return true;
  const FieldPlan& field = *top.field;
  switch (top.shape) {
    case Shape::kSingular:
      if (field.shape != Shape::kSingular) return Expected(field);
      break;
    case Shape::kRepeated:
      ++top.index;
      break;
    case Shape::kMap: {
      if (field.text_values) {
        return token == Token::kSpoilt ? Refuse(kNoText) : StoreText(top, text);
      }
      Message* entry = AddEntry(top);
      if (entry == nullptr) return status_.ok();
      if (!Set(field.child->value(), *field.child, entry, token, text)) return false;
      if (refused_) RemoveEntry(top);
      return true;
    }
  }
  return Set(field, *top.plan, top.message, token, text);
}

Message* Reader::AddEntry(Frame& map) {
  const MessagePlan& plan = *map.field->child;
  Message* entry = AddChild(*map.field, *map.plan, map.message);
  refused_ = false;
  // JSON keys are always strings: a number or a boolean is written in quotes.
  Token token = Token::kString;
  if (plan.key().kind == Kind::kBool) {
    if (map.key != "true" && map.key != "false") {
      if (Refuse("a key that is neither true nor false")) RemoveEntry(map);
      return nullptr;
    }
    token = Token::kBool;
  }
  if (!Set(plan.key(), plan, entry, token, map.key)) return nullptr;
  if (!refused_) return entry;
  RemoveEntry(map);
  return nullptr;
}

void Reader::RemoveEntry(Frame& map) {
  map.plan->reflection->RemoveLast(map.message, map.map->field);
}

bool Reader::StoreText(Frame& map, absl::string_view text) {
  Message* entry = AddEntry(map);
  if (entry == nullptr) return status_.ok();
  const MessagePlan& plan = *map.field->child;
  plan.reflection->SetString(entry, plan.value().field, std::string(text));
  return true;
}

bool Reader::Fail(absl::string_view problem) {
  const std::string path = Path(true);
  status_ = absl::InvalidArgumentError(path.empty() ? std::string(problem)
                                                    : absl::StrCat(path, ": ", problem));
  return false;
}

bool Reader::Refuse(absl::string_view problem) {
  Frame& top = frames_.back();
  // The items of a page are not optional.
  if (!options_.lenient || (items_ != nullptr && top.field == items_)) return Fail(problem);
  ReportUnreadable();
  refused_ = true;
  if (top.shape == Shape::kRepeated) {
    top.plan->reflection->ClearField(top.message, top.field->field);
    top.field = nullptr;  // skips the other elements
  }
  return true;
}

bool Reader::Expected(const FieldPlan& field) {
  const bool element = frames_.back().shape != Shape::kSingular;
  if (!element && field.shape == Shape::kMap) return Refuse("expected an object");
  if (!element && field.shape == Shape::kRepeated) return Refuse("expected an array");
  return Refuse(absl::StrCat("expected ", WantedValue(field.kind)));
}

// Map keys are data, so they are left out.
std::string Reader::Path(bool with_indexes, size_t from) const {
  std::string path;
  for (size_t i = from; i < frames_.size(); ++i) {
    const Frame& frame = frames_[i];
    if (frame.shape == Shape::kRepeated) {
      absl::StrAppend(&path, "[", with_indexes ? absl::StrCat(frame.index) : "", "]");
    } else if (frame.shape == Shape::kSingular && frame.field != nullptr) {
      const absl::string_view name = frame.field == items_ ? items_key_ : frame.field->name;
      absl::StrAppend(&path, path.empty() ? "" : ".", name);
    }
  }
  return path;
}

void Reader::ReportUnknown(absl::string_view key) {
  std::string path = Path(false);
  if (!path.empty()) path += '.';
  for (const char c : key.substr(0, kMaxUnknownKey)) {
    path += absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' ? c : '?';
  }
  options_.unknown_field(path);
}

void Reader::ReportUnreadable() {
  if (options_.unreadable_field) options_.unreadable_field(Path(false));
  // Find the nearest enclosing message that keeps such paths.
  for (size_t i = frames_.size(); i > 0; --i) {
    const Frame& frame = frames_[i - 1];
    if (frame.shape != Shape::kSingular || frame.plan->unreadable == nullptr) continue;
    std::string path = Path(false, i - 1);
    const google::protobuf::Reflection* reflection = frame.plan->reflection;
    for (int j = 0; j < reflection->FieldSize(*frame.message, frame.plan->unreadable); ++j) {
      if (reflection->GetRepeatedString(*frame.message, frame.plan->unreadable, j) == path) return;
    }
    reflection->AddString(frame.message, frame.plan->unreadable, std::move(path));
    return;
  }
}

}  // namespace ipp::json
