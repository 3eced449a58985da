#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

// Protobuf messages from and to the upstream's JSON, by descriptor: RapidJSON's tokens are
// converted to and from message fields directly, without a DOM and without code per field.
// Thread-safe. Generated message types only: what is derived from a type is computed once and kept.
//
// Differs from proto3's own JSON format where the upstream does: 64-bit integers are numbers, names
// are the proto names (or an explicit json_name), enum values omit the type's prefix
// (SESSION_STATUS_FINALIZED is "FINALIZED"; in lower case if the enum has `lower_case_json`).
namespace ipp::json {

// Receives the path of a key that no field takes, for example "order_items[].vat_class". The path
// is used as a metric label and must not grow with the data: it has no indexes and no map keys, and
// a key is cut at 64 bytes and has `?` for every character other than a letter, digit, `_` or `-`.
// Keys below an unknown key are not reported.
using UnknownField = std::function<void(absl::string_view path)>;

// Receives the path of a field whose value was left out. It contains only names of the contract.
using UnreadableField = std::function<void(absl::string_view path)>;

struct ReadOptions {
  int max_depth = 32;                  // nested objects and arrays together
  size_t max_bytes = 8 * 1024 * 1024;  // of the text
  UnknownField unknown_field;          // may be empty
  bool lenient = false;                // see Read
  UnreadableField unreadable_field;    // if lenient; may be empty; once per value
};

// Sets the fields of `message` that occur in `text` (a JSON object). Other fields keep their
// values; repeated fields and maps are appended to; a message field is replaced as a whole.
//  * null leaves a field unset. If a key occurs twice, the last value wins, except where values are
//    appended.
//  * int32, int64, uint32 and uint64 accept numbers or strings of digits, in their whole range and
//    exactly. A number with a fraction or an exponent ("25.0", "1e3") is accepted if its value is
//    whole; others fail.
//  * A string field accepts a number or a boolean as its JSON text (the upstream sends some that
//    way).
//  * google.protobuf.Timestamp: RFC 3339 with up to nine digits and any offset; no leap second.
//  * map<string, string>: a value that is not a string is kept as its JSON text, compact; null as
//    "null".
//  * An unknown enum word leaves the enum at 0 and is stored in the `raw_of` sibling, if there is
//    one. A `raw_of` field has no key of its own.
//  * Text that is not a JSON object, ends early, nests too deep, is not UTF-8, or holds a value of
//    the wrong kind: InvalidArgument naming the path ("order_items[3].unit_price: ..."), never the
//    value nor a map's key. What was read before the error stays in `message`.
//
// Lenient mode, for text that other systems write: a value that does not fit its field is left out,
// as if its key were absent, and everything else is read. Its path is reported and added to the
// `unreadable` field of the nearest enclosing message that has one.
//  * A list is whole or absent: one element of the wrong kind leaves out the whole list, since
//    order lines of which some are missing would look like an order with another sum. A member of
//    an element is a value of its own. Of a map, only the entry is left out.
//  * The items of a page are not optional: they fail as in strict mode.
//  * Also accepted, since the meaning is the same: enum words in any letter case, the strings
//    "true" and "false" for a boolean, times in ISO 8601 (TimeForm in timestamp.h), a byte order
//    mark.
//  * An unknown enum word without a `raw_of` sibling is a value that does not fit.
//  * So is a string that is not UTF-8 or contains half of a surrogate pair.
//  * A number beyond the range of a double (1e400), which RapidJSON rejects even as text, is a
//  value
//    that does not fit. The text is then read a second time: `message` loses what it held before,
//    and a path may be reported twice.
//  * JSON that is broken, too long or nested too deep is an error.
absl::Status Read(absl::string_view text, google::protobuf::Message* message,
                  const ReadOptions& options = {});

// Reads a page of the upstream: the array under `items_key` goes into the repeated message field
// `items` of `message`, all other keys into `envelope`.
absl::Status ReadPage(absl::string_view text, absl::string_view items_key,
                      const google::protobuf::FieldDescriptor* items,
                      google::protobuf::Message* message, google::protobuf::Message* envelope,
                      const ReadOptions& options = {});

// Selects the fields of the top-level message that are written; an empty function selects all.
using FieldFilter = std::function<bool(const google::protobuf::FieldDescriptor*)>;

// Appends `message` as one JSON object. Numbers without presence are always written, even if 0,
// since the upstream requires tax_rate and similar fields on every line. Other fields without
// presence are omitted if they have their default value; optional fields are written if present,
// even if empty. `raw_of` and `unreadable` fields are never written. A repeated field or map is
// omitted if empty. Fails (InvalidArgument, naming the path) on a string that is not UTF-8, a
// Timestamp outside years 0001 to 9999, or an enum number without a name.
absl::Status Write(const google::protobuf::Message& message, std::string* out,
                   const FieldFilter& filter = {});

// The word that the upstream uses for an enum value: "FINALIZED", "physical".
std::string EnumWord(const google::protobuf::EnumValueDescriptor* value);

}  // namespace ipp::json
