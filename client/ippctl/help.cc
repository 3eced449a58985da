#include "client/ippctl/help.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "client/ippctl/commands.h"
#include "client/ippctl/text.h"

namespace ipp::ippctl {
namespace {

constexpr char kMore[] =
    "Flags of every command: ippctl options\n"
    "More: ippctl help output, ippctl help configuration, ippctl help exit-codes\n";

// "Columns: ID, NAME; with -o wide also METADATA".
std::string ColumnsText(const Command& command) {
  std::vector<std::string> usual;
  std::vector<std::string> wide;
  for (const Column& column : command.columns) {
    (column.wide ? wide : usual).push_back(column.header);
  }
  return absl::StrCat("Columns: ", absl::StrJoin(usual, ", "),
                      wide.empty() ? "" : "; with -o wide also ", absl::StrJoin(wide, ", "));
}

std::string Indented(absl::string_view text, size_t indent) {
  return absl::StrCat(std::string(indent, ' '), Wrapped(text, kHelpWidth - indent, indent), "\n");
}

}  // namespace

std::string Usage(const Command& command) {
  std::string usage = absl::StrCat("ippctl ", NameOf(command));
  for (const std::string& word : command.words) absl::StrAppend(&usage, " ", word);
  return usage;
}

std::string Overview(const std::vector<Command>& commands, absl::string_view group) {
  constexpr size_t kLongest = 34;  // a longer one has its summary on the next line
  std::string text =
      absl::StrCat("ippctl ", group.empty() ? "" : absl::StrCat(group, " "),
                   group.empty() ? "GROUP " : "", "COMMAND [FLAGS]: in-person payments by hand\n");
  std::string last;
  if (!group.empty()) text += "\n";
  for (const Command& command : commands) {
    if (command.hidden || (!group.empty() && command.group != group)) continue;
    if (group.empty() && command.group != last && !(command.name.empty() && last == "-")) {
      text += "\n";
    }
    last = command.name.empty() ? "-" : command.group;
    const std::string usage = Usage(command);
    const size_t indent = kLongest + 4;
    absl::StrAppend(
        &text, "  ", usage,
        usage.size() <= kLongest ? std::string(kLongest - usage.size() + 2, ' ')
                                 : absl::StrCat("\n", std::string(indent, ' ')),
        absl::StrJoin(absl::StrSplit(Wrapped(command.summary, kHelpWidth - indent), '\n'),
                      absl::StrCat("\n", std::string(indent, ' '))),
        "\n");
  }
  absl::StrAppend(&text, "\nA command's flags and examples: ippctl ",
                  group.empty() ? "GROUP" : group, " COMMAND --help\n", kMore);
  return text;
}

std::string BrokenCommandLine(absl::string_view line, size_t width, size_t indent) {
  // Pieces that stay together: a flag and its value, which may have spaces in quotes.
  std::vector<std::string> pieces = {""};
  char quote = '\0';
  for (size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quote == '\0' && c == ' ' && i + 2 < line.size() && line[i + 1] == '-') {
      pieces.emplace_back();
      continue;
    }
    if (quote != '\0' ? c == quote : (c == '\'' || c == '"')) quote = quote != '\0' ? '\0' : c;
    pieces.back() += c;
  }
  std::string text = pieces.front();
  size_t used = DisplayWidth(text);
  for (size_t i = 1; i < pieces.size(); ++i) {
    const size_t needed = DisplayWidth(pieces[i]) + 1;
    const size_t tail = i + 1 < pieces.size() ? 2 : 0;  // " \"
    if (used + needed + tail > width) {
      absl::StrAppend(&text, " \\\n", std::string(indent, ' '), pieces[i]);
      used = indent + needed - 1;
    } else {
      absl::StrAppend(&text, " ", pieces[i]);
      used += needed;
    }
  }
  return text;
}

std::string Help(const Command& command) {
  std::string text = absl::StrCat(Usage(command), command.flags.empty() ? "" : " [FLAGS]", "\n",
                                  Indented(command.summary, 2));
  if (!command.details.empty()) {
    absl::StrAppend(&text, "\n", Wrapped(command.details, kHelpWidth), "\n");
  }
  if (!command.columns.empty()) {
    absl::StrAppend(&text, "\n", Wrapped(ColumnsText(command), kHelpWidth), "\n");
  }
  if (!command.flags.empty()) absl::StrAppend(&text, "\nFlags:\n", DescribeFlags(command.flags));
  absl::StrAppend(&text, "\nExamples:\n");
  for (const std::string& example : command.examples) {
    absl::StrAppend(&text, "  ", BrokenCommandLine(example, kHelpWidth - 2, 6), "\n");
  }
  absl::StrAppend(&text, "\n", kMore);
  return text;
}

}  // namespace ipp::ippctl
