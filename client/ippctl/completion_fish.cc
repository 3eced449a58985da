#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "client/ippctl/commands.h"
#include "client/ippctl/completion.h"
#include "client/ippctl/help.h"

namespace ipp::ippctl {
namespace {

std::string Quoted(absl::string_view text) {
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"'", "\\'"}}), "'");
}

constexpr char kFunctions[] = R"SHELL(
# The words of the line that are neither flags nor their values.
function __ippctl_position
    set -l found
    set -l skip 0
    for word in (commandline -opc)[2..]
        if test $skip = 1
            set skip 0
        else if contains -- $word $__ippctl_takes_value
            set skip 1
        else if not string match -q -- '-*' $word
            set -a found $word
        end
    end
    echo "$found"
end

# Exactly these words stand there.
function __ippctl_at
    test (__ippctl_position) = "$argv[1]"
end

# These words stand at the beginning.
function __ippctl_in
    set -l position (__ippctl_position)
    test "$position" = "$argv[1]"; or string match -q -- "$argv[1] *" "$position"
end

# What the gateway that the line names, or the configuration file, has of it.
function __ippctl_ask
    set -l line (commandline -opc)
    set -l settings
    for i in (seq 2 (count $line))
        switch $line[$i]
            case --tls --allow-plaintext-token '--address=*' '--context=*' '--config=*'
                set -a settings $line[$i]
            case --address --token-file --merchant --ca-file --cert-file --key-file --config --context
                test $i -lt (count $line); and set -a settings $line[$i] $line[(math $i + 1)]
        end
    end
    command $line[1] $settings --timeout 2s completion words-$argv[1] 2>/dev/null
end

complete -c ippctl -f
)SHELL";

// "(__ippctl_ask devices)", or the words themselves.
std::string Arguments(const std::string& offers) {
  if (absl::StartsWith(offers, "@")) {
    return Quoted(absl::StrCat("(__ippctl_ask ", offers.substr(1), ")"));
  }
  return Quoted(offers);
}

void AppendFlags(const std::string& condition, const std::vector<Flag>& flags, std::string* out) {
  for (const Flag& flag : flags) {
    absl::StrAppend(out, "complete -c ippctl", condition, " -l ", flag.name);
    if (flag.letter != '\0') absl::StrAppend(out, " -s ", std::string(1, flag.letter));
    const std::string offers =
        flag.source.empty() ? absl::StrJoin(flag.choices, " ") : absl::StrCat("@", flag.source);
    if (flag.value == "FILE") {
      absl::StrAppend(out, " -r -F");
    } else if (flag.kind != FlagKind::kSwitch) {
      absl::StrAppend(out, " -x", offers.empty() ? "" : " -a ",
                      offers.empty() ? "" : Arguments(offers));
    }
    absl::StrAppend(out, " -d ", Quoted(flag.help), "\n");
  }
}

void AppendWord(const std::string& before, const std::string& word, const std::string& meaning,
                std::string* out) {
  absl::StrAppend(out, "complete -c ippctl -n ",
                  Quoted(absl::StrCat("__ippctl_at \"", before, "\"")), " -a ", Quoted(word),
                  " -d ", Quoted(meaning), "\n");
}

}  // namespace

std::string FishCompletion(const std::vector<Command>& commands,
                           const std::vector<Flag>& global_flags) {
  std::set<std::string> takes_value;
  const auto collect = [&takes_value](const std::vector<Flag>& flags) {
    for (const Flag& flag : flags) {
      if (flag.kind == FlagKind::kSwitch) continue;
      takes_value.insert("--" + flag.name);
      if (flag.letter != '\0') takes_value.insert(std::string("-") + flag.letter);
    }
  };
  collect(global_flags);
  for (const Command& command : commands) collect(command.flags);

  std::string text = absl::StrCat("# Completion of ippctl, made by: ippctl completion fish\n\n",
                                  "set -g __ippctl_takes_value ", absl::StrJoin(takes_value, " "),
                                  "\n", kFunctions);
  std::string last;
  for (const Command& command : commands) {
    if (command.hidden) continue;
    if (command.name.empty()) {
      AppendWord("", command.group, command.summary, &text);
    } else {
      if (command.group != last) {
        AppendWord("", command.group, "", &text);
        AppendWord("help", command.group, "", &text);
      }
      AppendWord(command.group, command.name, command.summary, &text);
      AppendWord(absl::StrCat("help ", command.group), command.name, command.summary, &text);
    }
    last = command.group;
    const std::string name = NameOf(command);
    AppendFlags(absl::StrCat(" -n ", Quoted(absl::StrCat("__ippctl_in \"", name, "\""))),
                command.flags, &text);
    if (command.words.empty()) continue;
    if (const std::string offers = WordOffers(command.words.front()); !offers.empty()) {
      absl::StrAppend(&text, "complete -c ippctl -n ",
                      Quoted(absl::StrCat("__ippctl_at \"", name, "\"")), " -a ", Arguments(offers),
                      "\n");
    }
  }
  AppendWord("", "help", "Show the help of a command", &text);
  for (const std::string& topic : HelpTopics()) AppendWord("help", topic, "", &text);
  AppendFlags("", global_flags, &text);
  return text;
}

}  // namespace ipp::ippctl
