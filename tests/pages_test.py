#!/usr/bin/env python3
"""The repository's pages: links inside it lead somewhere, every decision record is in the index, and the changelog
has a section for the version."""
import pathlib
import re
import subprocess
import sys
import tempfile
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parent.parent

LINK = re.compile(r"(?<!\\)\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.M | re.S)


def anchors(text):
    """What GitHub makes of the headings."""
    found = set()
    for heading in re.findall(r"^#+ +(.+?)\s*$", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S), re.M):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        number = 0
        while (name := slug + (f"-{number}" if number else "")) in found:
            number += 1
        found.add(name)
    return found


def dead_links(root, pages):
    for page in pages:
        text = (root / page).read_text()
        for target in LINK.findall(CODE.sub("", text)):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = urllib.parse.unquote(target).partition("#")
            file = ((root / page).parent / path).resolve() if path else root / page
            if not file.exists():
                yield f"{page}: {target} leads nowhere"
            elif anchor and file.suffix == ".md" and anchor not in anchors(file.read_text()):
                yield f"{page}: {target}: there is no such heading"


def records_without_a_row(root):
    index = (root / "docs/adr/README.md").read_text()
    for record in sorted((root / "docs/adr").glob("0*.md")):
        title = re.sub(r"^# (\d+\.?) ", "", record.read_text().splitlines()[0])
        if f"[{title}]({record.name})" not in index:
            yield f"docs/adr/README.md: no row '[{title}]({record.name})'"


def version_without_a_section(root):
    version = re.search(r"^project\(\w+ VERSION ([\d.]+)", (root / "CMakeLists.txt").read_text(), re.M)[1]
    if f"\n## [{version}] - " not in (root / "CHANGELOG.md").read_text():
        yield f"CHANGELOG.md: no section [{version}]"


def complaints(root, pages):
    return [*dead_links(root, pages), *records_without_a_row(root), *version_without_a_section(root)]


def self_test():
    """The check finds what it is for."""
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name, text in {
                "CMakeLists.txt": "project(x VERSION 1.2.3 LANGUAGES CXX)\n",
                "CHANGELOG.md": "# Changelog\n\n## [1.2.2] - 2026-01-01\n",
                "docs/adr/0001-a.md": "# 1. A\n", "docs/adr/README.md": "",
                "page.md": "# A `b`, c\n[x](#a-b-c) [x](#d) [x](gone.md) `[x](gone.md)` [x](docs/adr/0001-a.md#1-a) [x](http://y/)\n",
        }.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        found = complaints(root, ["page.md"])
        assert found == ["page.md: #d: there is no such heading", "page.md: gone.md leads nowhere",
                         "docs/adr/README.md: no row '[A](0001-a.md)'",
                         "CHANGELOG.md: no section [1.2.3]"], found


if __name__ == "__main__":
    self_test()
    known = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"], cwd=ROOT,
                           check=True, capture_output=True, text=True).stdout
    wrong = complaints(ROOT, sorted(filter(None, known.split("\0"))))
    print("\n".join(wrong) if wrong else "every link leads somewhere")
    sys.exit(1 if wrong else 0)
