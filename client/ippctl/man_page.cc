#include "client/ippctl/man_page.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "client/ippctl/help.h"
#include "client/ippctl/text.h"
#include "ippclient/version.h"

namespace ipp::ippctl {
namespace {

// Text in which nothing is a request or an escape of roff's.
std::string Escaped(absl::string_view text) {
  std::string escaped =
      absl::StrReplaceAll(text, {{"\\", "\\e"}, {"-", "\\-"}, {"'", "\\(aq"}, {"`", "\\(ga"}});
  if (absl::StartsWith(escaped, ".")) escaped.insert(0, "\\&");
  // roff reads ASCII; our texts have a few characters of two and three bytes.
  std::string ascii;
  for (size_t i = 0; i < escaped.size(); ++i) {
    const auto byte = [&](size_t at) { return static_cast<unsigned char>(escaped[at]); };
    if (byte(i) < 0x80) {
      ascii += escaped[i];
    } else if (byte(i) < 0xE0) {
      absl::StrAppendFormat(&ascii, "\\[u%04X]", (byte(i) & 0x1Fu) << 6 | (byte(i + 1) & 0x3Fu));
      i += 1;
    } else {
      absl::StrAppendFormat(
          &ascii, "\\[u%04X]",
          (byte(i) & 0x0Fu) << 12 | (byte(i + 1) & 0x3Fu) << 6 | (byte(i + 2) & 0x3Fu));
      i += 2;
    }
  }
  return ascii;
}

// Lines as they are: code.
std::string Verbatim(absl::string_view text) {
  std::string lines = ".EX\n";
  for (const absl::string_view line :
       absl::StrSplit(absl::StripTrailingAsciiWhitespace(text), '\n')) {
    absl::StrAppend(&lines, Escaped(line), "\n");
  }
  return lines + ".EE\n";
}

std::string FlagList(const std::vector<Flag>& flags) {
  std::string text;
  for (const Flag& flag : flags) {
    absl::StrAppend(&text, ".TP\n.B ", Escaped(FlagUsage(flag)), "\n", Escaped(FlagMeaning(flag)),
                    "\n");
  }
  return text;
}

std::string Paragraphs(absl::string_view text) {
  std::string out;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    absl::StrAppend(&out, line.empty() ? ".PP" : Escaped(line), "\n");
  }
  return out;
}

}  // namespace

std::string ManPage(const std::vector<Command>& commands, const std::vector<Flag>& global_flags) {
  std::string text = absl::StrCat(
      ".\\\" Made by: ippctl man\n.TH IPPCTL 1 \"\" \"ippctl ", client::Version(),
      "\" \"User Commands\"\n.SH NAME\nippctl \\- in\\-person payments by hand\n.SH SYNOPSIS\n"
      ".B ippctl\n.I GROUP COMMAND\n.RI [ FLAGS ]\n.SH COMMANDS\n");
  for (const Command& command : commands) {
    if (command.hidden) continue;
    absl::StrAppend(&text, ".SS ", Escaped(Usage(command)), "\n", Escaped(command.summary), ".\n");
    if (!command.details.empty()) absl::StrAppend(&text, ".PP\n", Paragraphs(command.details));
    absl::StrAppend(&text, FlagList(command.flags), ".PP\nExamples:\n.PP\n");
    std::string examples;
    for (const std::string& example : command.examples) {
      absl::StrAppend(&examples, BrokenCommandLine(example, kHelpWidth - 8, 4), "\n");
    }
    text += Verbatim(examples);
  }
  absl::StrAppend(&text, ".SH OPTIONS\nFlags of every command.\n", FlagList(global_flags));
  for (const std::string& topic : HelpTopics()) {
    const std::string body = HelpTopic(topic);
    const size_t title_end = body.find('\n');
    absl::StrAppend(&text, ".SH ", absl::AsciiStrToUpper(body.substr(0, title_end)), "\n",
                    Verbatim(body.substr(title_end + 2)));
  }
  return text;
}

}  // namespace ipp::ippctl
