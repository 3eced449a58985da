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

// Takes RapidJSON's tokens and puts them into message fields. One text, one thread.
//
// A token handler returns false to stop the parser; `status` then says why. Strings are borrowed
// from the text, which must stay until the end.
class Reader {
 public:
  // The whole text is one message.
  Reader(const MessagePlan* plan, google::protobuf::Message* message, const ReadOptions& options);

  // A page: the array under `items_key` goes into the field `items` of `items_message`, all else
  // into `message`.
  void SplitOff(absl::string_view items_key, const FieldPlan* items, const MessagePlan* items_plan,
                google::protobuf::Message* items_message);

  absl::Status Run(absl::string_view text);

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
  enum class Token { kString, kNumber, kBool, kSpoilt };  // kSpoilt: a string that is no text

  // An object or array whose end is not yet reached.
  struct Frame {
    Shape shape;  // kSingular: an object that is a message; else the values of `field`
    google::protobuf::Message* message;
    const MessagePlan* plan;         // of `message`
    const FieldPlan* field;          // null: the value under way belongs to no field
    size_t next = 0;                 // kSingular: hint for the next key
    int index = -1;                  // kRepeated: element under way
    absl::string_view key = {};      // kMap: key under way
    const FieldPlan* map = nullptr;  // kMap: `field`, which is null while an entry is left out
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
  // The entry for the frame's key, or null when the key does not suit the map; then reading goes on
  // if `status_` is OK.
  google::protobuf::Message* AddEntry(Frame& map);
  static void RemoveEntry(Frame& map);
  bool StoreText(Frame& map, absl::string_view text);

  bool Nest();
  void Enter(const MessagePlan* plan, google::protobuf::Message* message);
  bool Skip(bool keep_text);
  bool EndSkipped();

  // The text is of no use.
  bool Fail(absl::string_view problem);
  // The value under way does not suit its field. Fails; or, when reading leniently, leaves the
  // value out (of a list: the list) and returns true. A value that has members is then still to be
  // skipped.
  bool Refuse(absl::string_view problem);
  bool Expected(const FieldPlan& field);
  // From the frame with that index on.
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
  int skip_depth_ = 0;      // depth inside a value that no field takes
  bool keep_text_ = false;  // … but a map of texts does
  size_t kept_from_ = 0;

  absl::string_view text_;         // as it came
  InPlaceText* stream_ = nullptr;  // as it is being unescaped
  bool refused_ = false;           // what AddEntry or Set took last
  absl::Status status_;
};

}  // namespace ipp::json
