#!/usr/bin/env python3
"""page_code.py PAGE LANGUAGE: the page's code in that language, on standard output, so that it can be run."""
import pathlib
import re
import sys


def code(page, language):
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", pathlib.Path(page).read_text(), re.M | re.S)
    if len(blocks) != 1:
        sys.exit(f"{page}: {len(blocks)} blocks of {language}, not one")
    return blocks[0]


if __name__ == "__main__":
    sys.stdout.write(code(*sys.argv[1:]))
