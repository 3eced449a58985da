#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

// Protobuf messages from and to the upstream's JSON, by descriptor: straight between RapidJSON's
// tokens and message fields, no DOM, no code a field. Thread-safe. Generated message types only:
// what is known of a type is worked out once and kept.
//
// Differs from proto3's own JSON where the upstream does: 64-bit integers are numbers, names are
// the proto names (or an explicit json_name), enum values lose the type's prefix
// (SESSION_STATUS_FINALIZED is "FINALIZED"; lower case where the enum says `lower_case_json`).
namespace ipp::json {

// Path of a key that no field takes, for example "order_items[].vat_class". It is used as a metric
// label and must not grow with the data: no index, no map key, a key cut at 64 bytes and with `?`
// for what is neither letter, digit, `_` nor `-`. Keys below an unknown key are not reported.
using UnknownField = std::function<void(absl::string_view path)>;

// Path of a field whose value was left out. Made of names of the contract alone.
using UnreadableField = std::function<void(absl::string_view path)>;

struct ReadOptions {
  int max_depth = 32;                  // nested objects and arrays together
  size_t max_bytes = 8 * 1024 * 1024;  // of the text
  UnknownField unknown_field;          // may be empty
  bool lenient = false;                // see Read
  UnreadableField unreadable_field;    // when lenient; may be empty; once for each value
};

// Sets the fields of `message` that occur in `text` (a JSON object); others stay as they are,
// repeated fields and maps are appended to, a message field is replaced as a whole.
//  * null leaves a field unset. A key twice: the last one wins, except where values are appended.
//  * int32, int64, uint32 and uint64 take numbers or strings of digits, in their whole range and
//    exactly; a number with a fraction or an exponent ("25.0", "1e3") counts when its value is
//    whole; others fail.
//  * A string field takes a number or a boolean as its JSON text (the upstream prints some so).
//  * google.protobuf.Timestamp: RFC 3339 with up to nine digits and any offset; no leap second.
//  * map<string, string>: a value that is not a string is kept as its JSON text, compact; null as
//    "null".
//  * An enum word that is not known leaves the enum at 0 and goes to the `raw_of` sibling, where
//    there is one. A `raw_of` field has no key of its own.
//  * Text that is no JSON object, ends early, nests too deep, is not UTF-8, or holds a value of the
//    wrong kind: InvalidArgument naming the path ("order_items[3].unit_price: ..."), never the
//    value nor a map's key. What was read before is then left in `message`.
//
// Lenient, for what others write: a value that does not suit its field is left out, as if its key
// were not there, and all else is read. Its path is reported and added to the `unreadable` field of
// the nearest message around it that has one.
//  * A list is whole or absent: one element of the wrong kind leaves all of it out, since order
//    lines of which some are missing would look like an order with another sum. A member of an
//    element is an own value. Of a map only the entry is left out.
//  * The items of a page are not optional: they fail as ever.
//  * Read as well, since it means the same: enum words in any letter case, the strings "true" and
//    "false" for a boolean, times as ISO 8601 has them (TimeForm in timestamp.h), a byte order
//    mark.
//  * An enum word that is not known and has no `raw_of` sibling is a value that does not suit.
//  * A string that is not UTF-8, or has half of a surrogate pair, is one too.
//  * JSON that is broken, too long or nests too deep is an error. So is a number beyond the range
//    of a double (1e400), which RapidJSON does not take even as text.
absl::Status Read(absl::string_view text, google::protobuf::Message* message,
                  const ReadOptions& options = {});

// A page of the upstream: reads the array under `items_key` into the repeated message field `items`
// of `message`, and all other keys into `envelope`.
absl::Status ReadPage(absl::string_view text, absl::string_view items_key,
                      const google::protobuf::FieldDescriptor* items,
                      google::protobuf::Message* message, google::protobuf::Message* envelope,
                      const ReadOptions& options = {});

// Which fields of the top-level message are written; empty function: all.
using FieldFilter = std::function<bool(const google::protobuf::FieldDescriptor*)>;

// Appends `message` as one JSON object. Numbers without presence are always written, also a 0: the
// upstream requires tax_rate and the like on every line. Other fields without presence are left out
// when they have their default value; optional fields are written when present, also when empty.
// `raw_of` and `unreadable` fields are never written. A repeated field or map is left out when
// empty. Fails (InvalidArgument, naming the path) on a string that is not UTF-8, a Timestamp
// outside 0001..9999, or an enum number without a name.
absl::Status Write(const google::protobuf::Message& message, std::string* out,
                   const FieldFilter& filter = {});

// The word that the upstream uses for an enum value: "FINALIZED", "physical".
std::string EnumWord(const google::protobuf::EnumValueDescriptor* value);

}  // namespace ipp::json
