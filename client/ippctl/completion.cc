#include "client/ippctl/completion.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "client/ippctl/commands.h"
#include "client/ippctl/help.h"

namespace ipp::ippctl {
namespace {

std::string Quoted(absl::string_view text) {
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"'", "'\\''"}}), "'");
}

// A word to offer, and what it means.
struct Offer {
  std::string word;
  std::string meaning;
};

std::vector<Offer> FlagOffers(const std::vector<Flag>& flags) {
  std::vector<Offer> offers;
  for (const Flag& flag : flags) {
    offers.push_back({"--" + flag.name, flag.help});
    if (flag.letter != '\0') offers.push_back({std::string("-") + flag.letter, flag.help});
  }
  return offers;
}

// A case label and what is offered there.
struct Case {
  std::string label;
  std::vector<Offer> offers;
};

// Groups of commands, `help` among them; then the commands of each group.
std::vector<Case> WordCases(const std::vector<Command>& commands) {
  std::vector<Case> cases = {{"", {}}};
  for (const Command& command : commands) {
    if (command.hidden) continue;
    if (command.name.empty()) {
      cases.front().offers.push_back({command.group, command.summary});
      continue;
    }
    if (cases.back().label != command.group) {
      cases.front().offers.push_back({command.group, ""});
      cases.push_back({command.group, {}});
    }
    cases.back().offers.push_back({command.name, command.summary});
  }
  Case help{"help", {}};
  for (const std::string& topic : HelpTopics()) help.offers.push_back({topic, ""});
  for (const Offer& group : cases.front().offers) help.offers.push_back(group);
  cases.front().offers.push_back({"help", ""});
  cases.push_back(std::move(help));
  return cases;
}

std::vector<Case> FlagCases(const std::vector<Command>& commands) {
  std::vector<Case> cases;
  for (const Command& command : commands) {
    if (command.flags.empty() || command.hidden) continue;
    cases.push_back({NameOf(command), FlagOffers(command.flags)});
  }
  return cases;
}

// What a flag takes: NOTHING, FILE, @SOURCE, or its words; empty: any text.
std::string Takes(const Flag& flag) {
  if (flag.kind == FlagKind::kSwitch) return "NOTHING";
  if (flag.value == "FILE") return "FILE";
  return flag.source.empty() ? absl::StrJoin(flag.choices, " ") : absl::StrCat("@", flag.source);
}

// `  'sessions create --device') echo WORDS ;;` for each flag that does not just take any text.
void AppendValueCases(const std::string& scope, const std::vector<Flag>& flags, std::string* out) {
  for (const Flag& flag : flags) {
    const std::string takes = Takes(flag);
    if (takes.empty()) continue;
    absl::StrAppend(out, "    ", scope, Quoted(absl::StrCat(" --", flag.name)));
    if (flag.letter != '\0') {
      absl::StrAppend(out, " | ", scope, Quoted(std::string(" -") + flag.letter));
    }
    absl::StrAppend(out, ") echo ", Quoted(takes), " ;;\n");
  }
}

// The same in both shells.
std::string ValueFunction(const std::vector<Command>& commands,
                          const std::vector<Flag>& global_flags) {
  std::string text =
      "# COMMAND FLAG or COMMAND NUMBER (of a word behind it, from 0): NOTHING (a switch), FILE,\n"
      "# @SOURCE (to be asked), or the words that it takes; any text has no line.\n"
      "_ippctl_value() {\n  case \"$1 $2\" in\n";
  for (const Command& command : commands) {
    if (command.hidden) continue;
    const std::string name = NameOf(command);
    AppendValueCases(Quoted(name), command.flags, &text);
    for (size_t i = 0; i < command.words.size(); ++i) {
      const std::string offers = WordOffers(command.words[i]);
      if (offers.empty()) continue;
      absl::StrAppend(&text, "    ", Quoted(absl::StrCat(name, " ", i)), ") echo ", Quoted(offers),
                      " ;;\n");
    }
  }
  AppendValueCases("*", global_flags, &text);
  absl::StrAppend(&text, "  esac\n}\n");
  return text;
}

std::string BashWords(const std::vector<Offer>& offers) {
  return Quoted(absl::StrJoin(
      offers, " ", [](std::string* out, const Offer& offer) { absl::StrAppend(out, offer.word); }));
}

std::string ZshWords(const std::vector<Offer>& offers) {
  std::string words;
  for (const Offer& offer : offers) {
    absl::StrAppend(
        &words, words.empty() ? "" : " ",
        Quoted(offer.meaning.empty() ? offer.word : absl::StrCat(offer.word, ":", offer.meaning)));
  }
  return words;
}

// Both shells: what of the command line says which gateway to ask.
constexpr char kWay[] = R"SHELL(
_ippctl_is_way() {
  case $1 in
    --address | --token-file | --merchant | --ca-file | --cert-file | --key-file | --tls | \
      --allow-plaintext-token | --config | --context) return 0 ;;
  esac
  return 1
}
)SHELL";

constexpr char kBashMain[] = R"SHELL(
_ippctl_offer() {
  local takes=$1
  if [[ $takes == @* ]]; then
    takes=$("${COMP_WORDS[0]}" "${settings[@]}" --timeout 2s completion "words-${takes#@}" 2>/dev/null |
      cut -f 1)
  fi
  mapfile -t COMPREPLY < <(compgen -W "$takes" -- "$cur")
  [[ ${COMPREPLY[*]} == *= ]] && compopt -o nospace 2>/dev/null
}

_ippctl() {
  local cur=${COMP_WORDS[COMP_CWORD]} word pending= takes i
  local words=() settings=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    [[ $word == = ]] && continue  # bash cuts --flag=value into three words
    if [[ -n $pending ]]; then
      _ippctl_is_way "$pending" && settings+=("$pending" "$word")
      pending=
    elif [[ $word == -* ]]; then
      if [[ $(_ippctl_value "${words[*]:0:2}" "$word") != NOTHING ]]; then
        pending=$word
      elif _ippctl_is_way "$word"; then
        settings+=("$word")
      fi
    else
      words+=("$word")
    fi
  done
  [[ $cur == = ]] && cur=
  COMPREPLY=()
  if [[ -n $pending ]]; then
    takes=$(_ippctl_value "${words[*]:0:2}" "$pending")
    if [[ $takes == FILE ]]; then
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -f -- "$cur")
    else
      _ippctl_offer "$takes"
    fi
  elif [[ $cur == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$(_ippctl_flags "${words[*]:0:2}")" -- "$cur")
  elif ((${#words[@]} < 2)); then
    mapfile -t COMPREPLY < <(compgen -W "$(_ippctl_words "${words[*]}")" -- "$cur")
  elif [[ ${words[0]} == help ]] && ((${#words[@]} == 2)); then
    mapfile -t COMPREPLY < <(compgen -W "$(_ippctl_words "${words[1]}")" -- "$cur")
  else
    _ippctl_offer "$(_ippctl_value "${words[*]:0:2}" "$((${#words[@]} - 2))")"
  fi
}
complete -F _ippctl ippctl
)SHELL";

constexpr char kZshMain[] = R"SHELL(
_ippctl_offer() {
  found=(${=1})
  if [[ $1 == @* ]]; then
    found=(${(f)"$(${words[1]} $settings --timeout 2s completion words-${1#@} 2>/dev/null)"})
    found=(${found//:/\\:})
    found=(${found/$'\t'/:})
  fi
  if ((${#found})); then _describe value found; fi
}

_ippctl() {
  local -a position found settings
  local cur=${words[CURRENT]} word pending takes command i
  for ((i = 2; i < CURRENT; i++)); do
    word=${words[i]}
    if [[ -n $pending ]]; then
      _ippctl_is_way $pending && settings+=($pending $word)
      pending=
    elif [[ $word == --*=* ]]; then
      _ippctl_is_way ${word%%=*} && settings+=($word)
    elif [[ $word == -* ]]; then
      if [[ $(_ippctl_value "${position[1,2]}" "$word") != NOTHING ]]; then
        pending=$word
      elif _ippctl_is_way $word; then
        settings+=($word)
      fi
    else
      position+=("$word")
    fi
  done
  command="${position[1,2]}"
  if [[ -z $pending && $cur == --*=* ]]; then
    pending=${cur%%=*}
    compset -P '*='
  fi
  if [[ -n $pending ]]; then
    takes=$(_ippctl_value "$command" "$pending")
    if [[ $takes == FILE ]]; then
      _files
    else
      _ippctl_offer $takes
    fi
  elif [[ $cur == -* ]]; then
    _ippctl_flags "$command"
    _describe -o flag found
  elif ((${#position} < 2)); then
    _ippctl_words "${position[1]}"
    _describe command found
  elif [[ ${position[1]} == help ]] && ((${#position} == 2)); then
    _ippctl_words "${position[2]}"
    _describe command found
  else
    _ippctl_offer "$(_ippctl_value "$command" $((${#position} - 2)))"
  fi
}

if [[ ${funcstack[1]} == _ippctl ]]; then
  _ippctl "$@"  # loaded from a file of that name in $fpath
else
  compdef _ippctl ippctl
fi
)SHELL";

int PrintBash(Invocation& invocation) {
  invocation.out() << BashCompletion(AllCommands(), GlobalFlags());
  return kExitOk;
}

int PrintZsh(Invocation& invocation) {
  invocation.out() << ZshCompletion(AllCommands(), GlobalFlags());
  return kExitOk;
}

int PrintFish(Invocation& invocation) {
  invocation.out() << FishCompletion(AllCommands(), GlobalFlags());
  return kExitOk;
}

}  // namespace

std::string WordOffers(absl::string_view word) {
  absl::ConsumePrefix(&word, "[");
  absl::ConsumeSuffix(&word, "]");
  if (word == "DEVICE_ID") return "@devices";
  if (word == "SESSION_ID") return "@sessions";
  if (word == "LOCATION_ID") return "@locations";
  if (word == "ENROLLMENT_ID") return "@enrollments";
  if (word == "CONTEXT") return "@contexts";
  if (word != "KEY") return "";
  std::vector<std::string> keys;
  for (const Flag& flag : GlobalFlags()) {
    if (flag.setting) keys.push_back(flag.name);
  }
  return absl::StrJoin(keys, " ");
}

std::string BashCompletion(const std::vector<Command>& commands,
                           const std::vector<Flag>& global_flags) {
  std::string text = "# Completion of ippctl, made by: ippctl completion bash\n\n";
  absl::StrAppend(&text, "_ippctl_words() {\n  case \"$1\" in\n");
  for (const Case& one : WordCases(commands)) {
    absl::StrAppend(&text, "    ", Quoted(one.label), ") echo ", BashWords(one.offers), " ;;\n");
  }
  absl::StrAppend(&text, "  esac\n}\n\n_ippctl_flags() {\n  case \"$1\" in\n");
  for (const Case& one : FlagCases(commands)) {
    absl::StrAppend(&text, "    ", Quoted(one.label), ") echo ", BashWords(one.offers), " ;;\n");
  }
  absl::StrAppend(&text, "  esac\n  echo ", BashWords(FlagOffers(global_flags)), "\n}\n\n",
                  ValueFunction(commands, global_flags), kWay, kBashMain);
  return text;
}

std::string ZshCompletion(const std::vector<Command>& commands,
                          const std::vector<Flag>& global_flags) {
  std::string text = "#compdef ippctl\n# Completion of ippctl, made by: ippctl completion zsh\n\n";
  absl::StrAppend(&text,
                  "# They fill `found` of who calls.\n_ippctl_words() {\n  case \"$1\" in\n");
  for (const Case& one : WordCases(commands)) {
    absl::StrAppend(&text, "    ", Quoted(one.label), ") found=(", ZshWords(one.offers), ") ;;\n");
  }
  absl::StrAppend(&text, "  esac\n}\n\n_ippctl_flags() {\n  case \"$1\" in\n");
  for (const Case& one : FlagCases(commands)) {
    absl::StrAppend(&text, "    ", Quoted(one.label), ") found=(", ZshWords(one.offers), ") ;;\n");
  }
  absl::StrAppend(&text, "  esac\n  found+=(", ZshWords(FlagOffers(global_flags)), ")\n}\n\n",
                  ValueFunction(commands, global_flags), kWay, kZshMain);
  return text;
}

std::vector<Command> CompletionCommands() {
  std::vector<Command> commands = {
      {.group = "completion",
       .name = "bash",
       .summary = "Print what makes bash complete ippctl's command lines",
       .details =
           "For this shell: eval \"$(ippctl completion bash)\". For every shell: write it to "
           "~/.local/share/bash-completion/completions/ippctl (package bash-completion).",
       .examples = {"ippctl completion bash"},
       .run = PrintBash,
       .needs = Needs::kNothing},
      {.group = "completion",
       .name = "zsh",
       .summary = "Print what makes zsh complete ippctl's command lines",
       .details = "For this shell, after compinit: eval \"$(ippctl completion zsh)\". For every "
                  "shell: write it to a file named _ippctl in a folder of $fpath.",
       .examples = {"ippctl completion zsh"},
       .run = PrintZsh,
       .needs = Needs::kNothing},
      {.group = "completion",
       .name = "fish",
       .summary = "Print what makes fish complete ippctl's command lines",
       .details = "For this shell: ippctl completion fish | source. For every shell: write it to "
                  "~/.config/fish/completions/ippctl.fish.",
       .examples = {"ippctl completion fish"},
       .run = PrintFish,
       .needs = Needs::kNothing},
  };
  for (Command& command : CompletionWordCommands()) commands.push_back(std::move(command));
  return commands;
}

}  // namespace ipp::ippctl
