#pragma once

#include <string>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"
#include "server/json/message_json.h"
#include "server/json/plan.h"
#include "server/json/rapid.h"

namespace ipp::json {

// Receives RapidJSON's tokens and stores them in message fields. For one text, on one thread.
//
// A token handler returns false to stop the parser; `status` then holds the reason. Strings are
// borrowed from the text, which must live until the end.
class Reader {
 public:
  // The whole text is one message.
  Reader(const MessagePlan* plan, google::protobuf::Message* message, const ReadOptions& options);

  // A page: the array under `items_key` goes into the field `items` of `items_message`, all else
  // into `message`.
  void SplitOff(absl::string_view items_key, const FieldPlan* items, const MessagePlan* items_plan,
                google::protobuf::Message* items_message);

  absl::Status Run(absl::string_view text);
  // Run() has failed only because RapidJSON rejects one of the numbers (SpoilHugeNumbers).
  bool rejected_number() const { return rejected_number_; }

  // RapidJSON's handler.
  bool Null();
  bool Bool(bool value);
  bool RawNumber(const char* text, rapidjson::SizeType size, bool copy);
  bool String(const char* text, rapidjson::SizeType size, bool copy);
  bool Key(const char* text, rapidjson::SizeType size, bool copy);
  bool StartObject();
  bool EndObject(rapidjson::SizeType members);
  bool StartArray();
  bool EndArray(rapidjson::SizeType elements);
  // Not called with kParseNumbersAsStringsFlag, but RapidJSON compiles the calls.
  bool Int(int) { return false; }
  bool Uint(unsigned) { return false; }
  bool Int64(int64_t) { return false; }
  bool Uint64(uint64_t) { return false; }
  bool Double(double) { return false; }

 private:
  enum class Token { kString, kNumber, kBool, kSpoilt };  // kSpoilt: a string that is not UTF-8

  // An object or array whose end has not been reached.
  struct Frame {
    Shape shape;  // kSingular: an object that is a message; else the values of `field`
    google::protobuf::Message* message;
    const MessagePlan* plan;         // of `message`
    const FieldPlan* field;          // null: the current value belongs to no field
    size_t next = 0;                 // kSingular: hint for the next key
    int index = -1;                  // kRepeated: current element
    absl::string_view key = {};      // kMap: current key
    const FieldPlan* map = nullptr;  // kMap: `field`; that one is null while an entry is skipped
  };

  bool Scalar(Token token, absl::string_view text);
  bool Set(const FieldPlan& field, const MessagePlan& plan, google::protobuf::Message* message,
           Token token, absl::string_view text);
  template <typename Int>
  bool SetWhole(const FieldPlan& field, const MessagePlan& plan, google::protobuf::Message* message,
                Token token, absl::string_view text);
  template <typename Float>
  bool SetReal(const FieldPlan& field, const MessagePlan& plan, google::protobuf::Message* message,
               Token token, absl::string_view text);
  bool SetEnum(const FieldPlan& field, const MessagePlan& plan, google::protobuf::Message* message,
               absl::string_view word);
  bool SetTimestamp(const FieldPlan& field, const MessagePlan& plan,
                    google::protobuf::Message* message, absl::string_view text);
  // The entry for the frame's key, or null if the key does not fit the map; then reading continues
  // if `status_` is OK.
  google::protobuf::Message* AddEntry(Frame& map);
  static void RemoveEntry(Frame& map);
  bool StoreText(Frame& map, absl::string_view text);

  bool Nest();
  void Enter(const MessagePlan* plan, google::protobuf::Message* message);
  bool Skip(bool keep_text);
  bool EndSkipped();

  // Rejects the whole text.
  bool Fail(absl::string_view problem);
  // The current value does not fit its field. Fails; in lenient mode leaves the value out (for a
  // list: the whole list) and returns true. The members of an object or array must then still be
  // skipped.
  bool Refuse(absl::string_view problem);
  bool Expected(const FieldPlan& field);
  // The path from the frame with index `from` on.
  std::string Path(bool with_indexes, size_t from = 0) const;
  void ReportUnknown(absl::string_view key);
  void ReportUnreadable();

  const ReadOptions& options_;
  const MessagePlan* root_plan_;
  google::protobuf::Message* root_;

  absl::string_view items_key_;
  const FieldPlan* items_ = nullptr;
  const MessagePlan* items_plan_ = nullptr;
  google::protobuf::Message* items_message_ = nullptr;

  absl::InlinedVector<Frame, 6> frames_;
  int depth_ = 0;           // of the text
  int skip_depth_ = 0;      // depth inside a value that is skipped
  bool keep_text_ = false;  // the skipped value is stored as text in a map
  size_t kept_from_ = 0;

  absl::string_view text_;         // the input
  InPlaceText* stream_ = nullptr;  // the copy that is unescaped in place
  bool rejected_number_ = false;
  bool refused_ = false;  // the last AddEntry or Set refused the value
  absl::Status status_;
};

}  // namespace ipp::json
