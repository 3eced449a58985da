#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

// Declarative flags: a command lists its flags; the parser checks and converts them, and the help
// is printed from the same list.
namespace ipp::ippctl {

enum class FlagKind {
  kSwitch,    // takes no value
  kText,      // anything but the empty string
  kInteger,   // int64, decimal
  kCount,     // the same, 1 or more
  kDuration,  // "90s", "1h30m", more than zero
  kTime,      // RFC 3339
  kPair,      // key=value
  kChoice,    // one of Flag::choices; "PAYMENT_FAILED" is read as "payment-failed". After a choice
              // that ends with '=' any text follows
};

struct Flag {
  std::string name = "";  // without the dashes
  FlagKind kind = FlagKind::kText;
  std::string value = "";  // how the help calls the value: "ID"
  std::string help = "";
  char letter = '\0';  // short form
  bool required = false;
  bool repeated = false;
  std::vector<std::string> choices = {};
  std::string fallback = "";     // value when it is neither given nor in the environment
  std::string environment = "";  // variable that stands in for the flag
  bool setting = false;          // may stand in the configuration file, under its name
  // What Tab offers beside the choices: "devices", "sessions", "locations", "enrollments" (asked of
  // the gateway) or "contexts" (of the configuration file).
  std::string source = "";
};

// The value that the configuration file gives for a flag.
struct Setting {
  std::string value;
  std::string where;  // "/home/me/.config/ippctl/config:3"
};
using Settings = std::map<std::string, Setting>;  // by the flag's name

using GetEnv = std::function<std::string(const std::string&)>;

// The parsed and checked values. Asking for a value that Has() denies is a programming error.
class FlagValues {
 public:
  bool Has(const std::string& name) const { return values_.contains(name); }
  // Empty when not given.
  std::string Text(const std::string& name) const;
  const std::vector<std::string>& All(const std::string& name) const;
  int64_t Integer(const std::string& name) const;
  absl::Duration Duration(const std::string& name) const;
  absl::Time Time(const std::string& name) const;
  std::vector<std::pair<std::string, std::string>> Pairs(const std::string& name) const;

  // The origin of the value: "--timeout", "IPPCTL_TIMEOUT", "FILE:LINE"; "default" if it was not
  // given. A switch that is off may have an origin too.
  std::string Origin(const std::string& name) const;

  void Add(const std::string& name, std::string value) {
    values_[name].push_back(std::move(value));
  }
  void SetOrigin(const std::string& name, std::string origin) {
    origins_[name] = std::move(origin);
  }

 private:
  std::map<std::string, std::vector<std::string>> values_;
  std::map<std::string, std::string> origins_;
};

// The form in which a word is compared with choices: " PAYMENT_FAILED" → "payment-failed".
std::string ToChoice(absl::string_view word);

// Moves flags from the front of `args` into `values`: up to the first word that is not a flag
// (`stop_at_word`), or all of them, with the words between them in `words`. `args` keeps the rest.
// The error is a sentence for the user, without a full stop.
absl::Status ParseFlags(const std::vector<Flag>& flags, bool stop_at_word,
                        std::vector<std::string>* args, std::vector<std::string>* words,
                        FlagValues* values);

// Call it after the last ParseFlags: fills in missing values from the environment, else from
// `settings`, else the fallback; then checks that the required flags are present. Outside the
// command line a switch is "true" or "false".
absl::Status CompleteFlags(const std::vector<Flag>& flags, const GetEnv& getenv,
                           const Settings& settings, FlagValues* values);

// "-o, --output FORMAT": how a flag is given.
std::string FlagUsage(const Flag& flag);
// What it is for, with its choices, variable and default.
std::string FlagMeaning(const Flag& flag);
// The help's lines for `flags`, in at most 80 columns, each ended by a newline.
std::string DescribeFlags(const std::vector<Flag>& flags);

// "; did you mean X?" when a known word is near, else empty. `prefix` goes before the word ("--").
std::string Suggestion(absl::string_view word, const std::vector<std::string>& known,
                       absl::string_view prefix);

}  // namespace ipp::ippctl
