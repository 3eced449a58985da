#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "google/protobuf/duration.pb.h"
#include "server/config/config.pb.h"

// The configuration: typed (config.proto), closed (an unknown key is an error that names it), and
// validated as a whole. Precedence: flags, then IPP_… environment variables, then the file, then
// the defaults.
namespace ipp::config {

// Reads YAML into a Config, applies the environment's overrides and the defaults, and validates the
// result. `environment`: IPP_UPSTREAM__BASE_URL=… overrides upstream.base_url; a list or message
// value is YAML text. Errors are INVALID_ARGUMENT and name the key and, for the file, the line:
// "gateway.yaml:7: upstream.timeuot: no such key (did you mean timeout?)". A message never contains
// the value of a key that could be a secret. ErrorInfo.reason is INVALID_CONFIG; BadRequest has one
// row per problem, at most a hundred.
absl::StatusOr<Config> Parse(absl::string_view yaml, absl::string_view file_name,
                             const std::map<std::string, std::string>& environment);

// Reads the file at `path` and parses it. NOT_FOUND or FAILED_PRECONDITION / CONFIG_UNREADABLE if
// the file cannot be read; otherwise the errors of Parse.
absl::StatusOr<Config> Load(const std::string& path,
                            const std::map<std::string, std::string>& environment);

// The value of every key that is not given.
Config Defaults();

// Every rule that can be checked without opening a file or a socket. Reports all errors, not only
// the first.
absl::Status Validate(const Config& config);

// The configuration in force as YAML, with every key. User names and passwords in URLs are printed
// as "***", bytes that are not UTF-8 (in a path) as U+FFFD. The secrets themselves are in files,
// which this function does not open.
std::string MaskedYaml(const Config& config);

// The IPP_* variables of this process. This includes those that Kubernetes sets for a Service named
// ipp-…; Parse recognises and skips them.
std::map<std::string, std::string> IppEnvironment();

absl::Duration ToDuration(const google::protobuf::Duration& duration);

}  // namespace ipp::config
