#!/usr/bin/env python3
"""page_code.py PAGE LANGUAGE [N M]: the page's code in that language, on standard output, so that it can be run;
the Nth of its M blocks."""
import pathlib
import re
import sys


def code(page, language, number=1, count=1):
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", pathlib.Path(page).read_text(), re.M | re.S)
    if len(blocks) != count:
        sys.exit(f"{page}: {len(blocks)} blocks of {language}, not {count}")
    return blocks[number - 1]


if __name__ == "__main__":
    sys.stdout.write(code(*sys.argv[1:3], *map(int, sys.argv[3:])))
