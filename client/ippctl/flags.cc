#include "client/ippctl/flags.h"

#include <algorithm>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "client/ippctl/text.h"

namespace ipp::ippctl {
namespace {

size_t EditDistance(absl::string_view a, absl::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, replaced}));
    }
  }
  return row[b.size()];
}

const Flag* FindFlag(const std::vector<Flag>& flags, absl::string_view name) {
  for (const Flag& flag : flags) {
    if (flag.name == name) return &flag;
  }
  return nullptr;
}

const Flag* FindLetter(const std::vector<Flag>& flags, char letter) {
  for (const Flag& flag : flags) {
    if (letter != '\0' && flag.letter == letter) return &flag;
  }
  return nullptr;
}

bool IsTime(const std::string& text) {
  absl::Time time;
  return absl::ParseTime(absl::RFC3339_full, text, &time, nullptr);
}

// Checks a value and converts it to the form that FlagValues reads. `called` is its origin, for the
// error, which repeats the value unless `silent`.
absl::StatusOr<std::string> Checked(const Flag& flag, absl::string_view called, std::string value,
                                    bool silent = false) {
  const auto wrong = [&](absl::string_view what) {
    const std::string shown = silent ? "the value" : absl::StrCat("'", value, "'");
    return absl::InvalidArgumentError(absl::StrCat(called, ": ", shown, " is ", what));
  };
  if (value.empty()) return absl::InvalidArgumentError(absl::StrCat(called, " is empty"));
  int64_t integer = 0;
  absl::Duration duration;
  switch (flag.kind) {
    case FlagKind::kSwitch:
      if (value != "true" && value != "false") return wrong("neither true nor false");
      break;
    case FlagKind::kText:
      break;
    case FlagKind::kInteger:
      if (!absl::SimpleAtoi(value, &integer)) return wrong("not a whole number");
      break;
    case FlagKind::kCount:
      if (!absl::SimpleAtoi(value, &integer) || integer < 1) return wrong("not 1 or more");
      break;
    case FlagKind::kDuration:
      if (!absl::ParseDuration(value, &duration) || duration <= absl::ZeroDuration() ||
          duration == absl::InfiniteDuration()) {
        return wrong("not a duration such as 10s or 1h30m");
      }
      break;
    case FlagKind::kTime:
      if (!IsTime(value)) return wrong("not a time such as 2026-01-31T08:00:00Z");
      break;
    case FlagKind::kPair:
      if (const size_t at = value.find('='); at == 0 || at == std::string::npos) {
        return wrong("not of the form key=value");
      }
      break;
    case FlagKind::kChoice: {
      for (const std::string& open : flag.choices) {
        if (absl::EndsWith(open, "=") && absl::StartsWith(value, open) && value != open) {
          return value;
        }
      }
      std::string choice = ToChoice(value);
      if (std::find(flag.choices.begin(), flag.choices.end(), choice) == flag.choices.end()) {
        return wrong(absl::StrCat("not one of ", absl::StrJoin(flag.choices, ", "),
                                  silent ? "" : Suggestion(choice, flag.choices, "")));
      }
      return choice;
    }
  }
  return value;
}

// Whether a word is a flag and not a value: "-" is standard input, "-5" a number.
bool LooksLikeFlag(absl::string_view word) {
  return word.size() > 1 && word[0] == '-' && !absl::ascii_isdigit(word[1]);
}

}  // namespace

std::string ToChoice(absl::string_view word) {
  return absl::StrReplaceAll(absl::AsciiStrToLower(absl::StripAsciiWhitespace(word)), {{"_", "-"}});
}

std::string FlagValues::Origin(const std::string& name) const {
  const auto found = origins_.find(name);
  return found == origins_.end() ? "default" : found->second;
}

std::string FlagValues::Text(const std::string& name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::string() : found->second.front();
}

const std::vector<std::string>& FlagValues::All(const std::string& name) const {
  static const std::vector<std::string> kNone;
  const auto found = values_.find(name);
  return found == values_.end() ? kNone : found->second;
}

int64_t FlagValues::Integer(const std::string& name) const {
  int64_t value = 0;
  (void)absl::SimpleAtoi(Text(name), &value);  // checked when it was parsed
  return value;
}

absl::Duration FlagValues::Duration(const std::string& name) const {
  absl::Duration value;
  absl::ParseDuration(Text(name), &value);
  return value;
}

absl::Time FlagValues::Time(const std::string& name) const {
  absl::Time value;
  absl::ParseTime(absl::RFC3339_full, Text(name), &value, nullptr);
  return value;
}

std::vector<std::pair<std::string, std::string>> FlagValues::Pairs(const std::string& name) const {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const std::string& text : All(name)) {
    const size_t at = text.find('=');
    pairs.emplace_back(text.substr(0, at), text.substr(at + 1));
  }
  return pairs;
}

absl::Status ParseFlags(const std::vector<Flag>& flags, bool stop_at_word,
                        std::vector<std::string>* args, std::vector<std::string>* words,
                        FlagValues* values) {
  std::vector<std::string> names;
  for (const Flag& flag : flags) names.push_back(flag.name);
  size_t next = 0;
  bool only_words = false;
  absl::Status status;
  while (next < args->size() && status.ok()) {
    const std::string word = (*args)[next];
    if (only_words || !LooksLikeFlag(word)) {
      if (stop_at_word) break;
      words->push_back(word);
      ++next;
      continue;
    }
    ++next;
    if (word == "--") {
      only_words = true;
      continue;
    }
    const bool is_long = absl::StartsWith(word, "--");
    const size_t equals = word.find('=');
    const std::string name = word.substr(is_long ? 2 : 1, equals - (is_long ? 2 : 1));
    const Flag* flag = is_long            ? FindFlag(flags, name)
                       : name.size() == 1 ? FindLetter(flags, name[0])
                                          : nullptr;
    std::optional<std::string> value;
    if (equals != std::string::npos) value = word.substr(equals + 1);
    if (flag == nullptr) {
      status = absl::InvalidArgumentError(
          absl::StrCat("unknown flag ", is_long ? "--" : "-", name, Suggestion(name, names, "--")));
    } else if (values->Has(flag->name) && !flag->repeated && flag->kind != FlagKind::kSwitch) {
      status = absl::InvalidArgumentError(absl::StrCat("--", flag->name, " is given twice"));
    } else if (flag->kind == FlagKind::kSwitch) {
      if (value) {
        status = absl::InvalidArgumentError(absl::StrCat("--", flag->name, " takes no value"));
      } else {
        values->Add(flag->name, "true");
        values->SetOrigin(flag->name, absl::StrCat("--", flag->name));
      }
    } else {
      if (!value && next < args->size() && !LooksLikeFlag((*args)[next])) value = (*args)[next++];
      if (!value) {
        status = absl::InvalidArgumentError(absl::StrCat("--", flag->name, " needs a value"));
        continue;
      }
      const std::string called = absl::StrCat("--", flag->name);
      auto checked = Checked(*flag, called, *std::move(value));
      status = checked.status();
      if (checked.ok()) values->Add(flag->name, *std::move(checked));
      values->SetOrigin(flag->name, called);
    }
  }
  args->erase(args->begin(), args->begin() + static_cast<std::ptrdiff_t>(next));
  return status;
}

absl::Status CompleteFlags(const std::vector<Flag>& flags, const GetEnv& getenv,
                           const Settings& settings, FlagValues* values) {
  for (const Flag& flag : flags) {
    if (values->Has(flag.name)) continue;
    std::string value = flag.environment.empty() ? std::string() : getenv(flag.environment);
    std::string called = flag.environment;
    std::string origin = flag.environment;
    bool from_file = false;
    if (const auto setting = settings.find(flag.name); value.empty() && setting != settings.end()) {
      from_file = true;
      value = setting->second.value;
      origin = setting->second.where;
      called = absl::StrCat(origin, ": ", flag.name);
    }
    if (value.empty() && !flag.fallback.empty()) {
      value = flag.fallback;
      called = absl::StrCat("--", flag.name);
      origin = "default";
    }
    if (!value.empty()) {
      // A file may hold secrets in the wrong place: a token, a key.
      auto checked = Checked(flag, called, std::move(value), /*silent=*/from_file);
      if (!checked.ok()) return checked.status();
      values->SetOrigin(flag.name, origin);
      if (flag.kind == FlagKind::kSwitch && *checked == "false") continue;
      values->Add(flag.name, *std::move(checked));
    } else if (flag.required) {
      return absl::InvalidArgumentError(absl::StrCat("--", flag.name, " is required"));
    }
  }
  return absl::OkStatus();
}

std::string FlagUsage(const Flag& flag) {
  return absl::StrCat(
      flag.letter == '\0' ? "" : absl::StrCat("-", std::string(1, flag.letter), ", "), "--",
      flag.name, flag.kind == FlagKind::kSwitch ? "" : absl::StrCat(" ", flag.value));
}

std::string FlagMeaning(const Flag& flag) {
  std::vector<std::string> notes;
  if (!flag.choices.empty()) notes.push_back(absl::StrJoin(flag.choices, ", "));
  if (flag.required) notes.push_back("required");
  if (flag.repeated) notes.push_back("may be repeated");
  if (!flag.environment.empty()) notes.push_back(absl::StrCat("environment: ", flag.environment));
  if (!flag.fallback.empty()) notes.push_back(absl::StrCat("default: ", flag.fallback));
  return notes.empty() ? flag.help : absl::StrCat(flag.help, " (", absl::StrJoin(notes, "; "), ")");
}

std::string DescribeFlags(const std::vector<Flag>& flags) {
  constexpr size_t kLongest = 26;  // a longer one has its meaning on the next line
  size_t width = 0;
  for (const Flag& flag : flags) {
    if (const size_t size = FlagUsage(flag).size(); size <= kLongest) width = std::max(width, size);
  }
  const size_t indent = width + 4;
  std::string text;
  for (const Flag& flag : flags) {
    const std::string usage = FlagUsage(flag);
    const bool fits = usage.size() <= width;
    absl::StrAppend(&text, "  ", usage,
                    fits ? std::string(width - usage.size() + 2, ' ')
                         : absl::StrCat("\n", std::string(indent, ' ')),
                    absl::StrReplaceAll(Wrapped(FlagMeaning(flag), kHelpWidth - indent),
                                        {{"\n", absl::StrCat("\n", std::string(indent, ' '))}}),
                    "\n");
  }
  return text;
}

std::string Suggestion(absl::string_view word, const std::vector<std::string>& known,
                       absl::string_view prefix) {
  const std::string* best = nullptr;
  size_t best_distance = 3;  // more typing mistakes than two are another word
  for (const std::string& candidate : known) {
    size_t distance = EditDistance(word, candidate);
    if (word.size() >= 3 && absl::StartsWith(candidate, word)) distance = 1;
    if (distance < std::min(best_distance, candidate.size())) {
      best_distance = distance;
      best = &candidate;
    }
  }
  return best == nullptr ? "" : absl::StrCat("; did you mean ", prefix, *best, "?");
}

}  // namespace ipp::ippctl
