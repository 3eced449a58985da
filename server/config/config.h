#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "google/protobuf/duration.pb.h"
#include "server/config/config.pb.h"

// Configuration: typed (config.proto), closed (an unknown key is an error that names it), validated
// as a whole. Precedence: flags, then IPP_… environment variables, then the file, then defaults.
namespace ipp::config {

// YAML → Config, with the environment's overrides and the defaults filled in, and validated.
// `environment`: IPP_UPSTREAM__BASE_URL=… overrides upstream.base_url; a list or message value is
// YAML text. Errors are INVALID_ARGUMENT, name the key and, for the file, the line:
// "gateway.yaml:7: upstream.timeuot: no such key (did you mean timeout?)". No value of a key in the
// message that could be a secret. ErrorInfo.reason is INVALID_CONFIG; BadRequest has a row a line,
// a hundred at most.
absl::StatusOr<Config> Parse(absl::string_view yaml, absl::string_view file_name,
                             const std::map<std::string, std::string>& environment);

// NOT_FOUND or FAILED_PRECONDITION / CONFIG_UNREADABLE when the file cannot be read, else as Parse.
absl::StatusOr<Config> Load(const std::string& path,
                            const std::map<std::string, std::string>& environment);

// What every key has that is not given.
Config Defaults();

// All that can be checked without opening a file or a socket; every error found, not only the
// first.
absl::Status Validate(const Config& config);

// The configuration as YAML, every key in force; user names and passwords in URLs as "***", bytes
// that are not UTF-8 (in a path) as U+FFFD. Secrets themselves are in files, which this does not
// open.
std::string MaskedYaml(const Config& config);

// IPP_* variables of this process. Those that Kubernetes makes for a Service named ipp-… are among
// them; Parse knows and skips them.
std::map<std::string, std::string> IppEnvironment();

absl::Duration ToDuration(const google::protobuf::Duration& duration);

}  // namespace ipp::config
