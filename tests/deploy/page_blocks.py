"""The commands of a page in Markdown: its blocks, and what stands inline in its prose."""
import dataclasses
import re


@dataclasses.dataclass(frozen=True)
class Block:
    heading: str  # the nearest heading above
    text: str  # without its indentation, one newline at the end
    line: int  # of its first line, from 1

    @property
    def first(self):
        """The first line, by which tables name a block."""
        return self.text.partition("\n")[0]


def _indent(line):
    return len(line) - len(line.lstrip(" "))


def blocks(text):
    """Every block of code, indented by four or more, or in a fence, in the page's order."""
    found, heading, taken, start, fence = [], "", [], 0, False

    def close():
        if taken:
            cut = min(_indent(line) for line in taken if line.strip())
            found.append(Block(heading, "".join(line[cut:] + "\n" for line in taken), start))
        taken.clear()

    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        if line.lstrip().startswith("```"):
            fence = not fence
            close()
            start = number + 1
        elif fence:
            taken.append(line)
        elif line.startswith("    ") and (taken or not lines[number - 2].strip()):
            start = start if taken else number
            taken.append(line)
        else:
            close()
            if match := re.match(r"#+ +(.+?)\s*$", line):
                heading = match[1]
    close()
    return found


def inline(text, programs):
    """Every command of one of the programs that stands in the prose between backticks: (line, command)."""
    hidden = {number for block in blocks(text) for number in range(block.line, block.line + block.text.count("\n"))}
    prose = "\n".join("" if number in hidden or line.startswith("```") else line
                      for number, line in enumerate(text.splitlines(), 1))
    for match in re.finditer(r"`([^`]+)`", prose):
        command = " ".join(match[1].split())
        if command.split()[0] in programs and " " in command:
            yield prose.count("\n", 0, match.start()) + 1, command
