#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"
#include "server/base/error.h"

// Reads YAML and environment variables into any message, by reflection. A key is a field name; a
// google.protobuf.Duration is written "1m30s"; null means that the key is absent. A field that is
// not mentioned keeps the value that the message already has.
namespace ipp::config {

// Where the value of a field was read, by the field's path: "upstream.timeout" → "gateway.yaml:7".
using Sources = std::map<std::string, std::string>;

struct Problem {
  std::string source;  // "gateway.yaml:7", "IPP_LISTEN"
  FieldViolation violation;
};

// Reading stops after so many problems.
inline constexpr size_t kMaxProblems = 100;

// What has been read so far, and the problems found.
struct Reading {
  Sources sources;
  std::vector<Problem> problems;
};

// Several documents in the text are read as if they were one.
void ReadYaml(absl::string_view yaml, absl::string_view file_name,
              google::protobuf::Message* message, Reading* reading);

// IPP_A__B=… sets field `b` of field `a`. A scalar is taken literally. A list or a message is YAML
// text and replaces the whole previous value: the field is first reset to its value in `defaults`,
// then the text is applied.
void ReadEnvironment(const std::map<std::string, std::string>& environment,
                     const google::protobuf::Message& defaults, google::protobuf::Message* message,
                     Reading* reading);

}  // namespace ipp::config
