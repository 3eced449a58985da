#!/usr/bin/python3
"""The repository's pages: links inside it lead somewhere, every decision record is in the index, the changelog
has a section for the version, a test does what each page for users says, and the reference pages are what their
sources say."""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.parse

import reference_pages

ROOT = pathlib.Path(__file__).resolve().parent.parent

LINK = re.compile(r"(?<!\\)\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.M | re.S)


# Pages for users that have commands or programs, and the tests that do what they say.
PLAYED = {
    "README.md": "e2e.walk",
    "client/README.md": "e2e.client_package, packages.cpp",
    "client/go/README.md": "packages.go",
    "client/java/README.md": "packages.java",
    "client/packages/README.md": "polyglot.*, which type ./dev packages",
    "client/python/README.md": "packages.python",
    "client/typescript/README.md": "packages.typescript",
    "deploy/README.md": "deploy.readme",
    "docs/benchmarks.md": "by hand: they measure for minutes",
    "docs/ippctl.md": "e2e.ippctl_page, e2e.ippctl_examples",
    "docs/when-a-call-fails.md": "e2e.when_a_call_fails",
    "docs/your-language-in-five-minutes.md": "polyglot.*, packages.*, e2e.walk",
    "simulator/README.md": "e2e.simulator_page",
}
FOR_USERS = re.compile(r"README\.md|(client|deploy|simulator)/(\w+/)?README\.md|docs/[\w-]+\.md")
PROGRAM = re.compile(r"^```(?:sh|bash|python|js|ts|go|java|cpp)$", re.M)
COMMAND = re.compile(r"(?<=\n\n)    (?:\./|[a-z/-]+[ \n])")  # an indented block's first line


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


def pages_that_no_test_plays(root, pages):
    for page in filter(FOR_USERS.fullmatch, pages):
        text = (root / page).read_text()
        to_be_played = bool(PROGRAM.search(text) or COMMAND.search(text))
        if to_be_played != (page in PLAYED):
            yield f"{page}: PLAYED in tests/pages_test.py " + (
                "names no test that does what it says" if to_be_played else "names a test, and there is nothing to do")


def version_without_a_section(root):
    version = re.search(r"^project\(\w+ VERSION ([\d.]+)", (root / "CMakeLists.txt").read_text(), re.M)[1]
    if f"\n## [{version}] - " not in (root / "CHANGELOG.md").read_text():
        yield f"CHANGELOG.md: no section [{version}]"


def stale_references(root):
    try:
        for page, text in reference_pages.pages(root).items():
            if not (root / page).exists() or (root / page).read_text() != text:
                yield f"{page}: is not what its sources say: ./dev golden writes it"
    except reference_pages.Wrong as wrong:
        yield str(wrong)


def complaints(root, pages):
    return [*dead_links(root, pages), *records_without_a_row(root), *version_without_a_section(root),
            *pages_that_no_test_plays(root, pages)]


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
        (root / "docs/new.md").write_text("Type\n\n    ipp-gateway --all\n\nand more.\n")
        (root / "docs/ippctl.md").write_text("Nothing.\n\n    1 error\n")
        found = complaints(root, ["page.md", "docs/new.md", "docs/ippctl.md"])
        assert found == ["page.md: #d: there is no such heading", "page.md: gone.md leads nowhere",
                         "docs/adr/README.md: no row '[A](0001-a.md)'",
                         "CHANGELOG.md: no section [1.2.3]",
                         "docs/new.md: PLAYED in tests/pages_test.py names no test that does what it says",
                         "docs/ippctl.md: PLAYED in tests/pages_test.py names a test, and there is nothing to do"], found


STALE = "docs/{}.md: is not what its sources say: ./dev golden writes it"
CONFIG, RULES, RPCS = reference_pages.CONFIG, "server/config/validate.cc", "proto/kustom/ipp/v1/location.proto"
# A change of a source or of a page, and what must be said of it.
CHANGES = [
    (CONFIG, "Default 20s.", "Default 21s.", STALE.format("configuration")),
    (CONFIG, "message Webhooks {", "message Webhooks {\n  // New.\n  bool new = 100;", STALE.format("configuration")),
    (CONFIG, "message Webhooks {", "message Webhooks {\n  bool new = 100;", f"{CONFIG}: Webhooks.new has no comment"),
    (CONFIG, "message Webhooks {", "message Webhooks {\n  // New.\n  int32 new = 100;",
     "validate.cc: webhooks.new has no range"),
    (CONFIG, "not encrypted. Required.", "not encrypted.",
     f"{CONFIG}: the comment of tls.key_file does not say that it is required, but validate.cc requires it"),
    (CONFIG, "The Portal's user name", "Required. The Portal's user name",
     f"{CONFIG}: the comment of merchants.username says that it is required, but validate.cc does not require it"),
    (RULES, "absl::Hours(24 * 7)", "absl::Hours(24 * 8)", STALE.format("configuration")),
    (RULES, '"libcurl", "http2"', '"libcurl", "http3"', STALE.format("configuration")),
    (RULES, "config.drain_timeout(), absl::ZeroDuration()", "config.drain_timeout(), kLeast",
     "validate.cc: the bound kLeast is not known to tests/reference_pages.py"),
    (RPCS, "service LocationService {", "service LocationService {\n  // Counts.\n"
     "  rpc Count(GetLocationRequest) returns (GetLocationResponse) { option (route) = {permission: \"locations.count\"}; }",
     STALE.format("permissions")),
    (RPCS, "service LocationService {", "service LocationService {\n  // Counts.\n"
     "  rpc Count(GetLocationRequest) returns (GetLocationResponse);",
     "kustom/ipp/v1/location.proto: LocationService.Count has no permission"),
    ("docs/configuration.md", "`IPP_LISTEN`", "", STALE.format("configuration")),
    ("docs/permissions.md", "`devices.write`", "`devices.read`", STALE.format("permissions")),
]


def self_test_of_references():
    """A source or a page that is changed alone is found."""
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        contract = {str(path.relative_to(ROOT)) for path in (ROOT / "proto").rglob("*.proto")}
        for name in contract | {change[0] for change in CHANGES}:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, root / name)
        for name, old, new, said in CHANGES:
            text = (root / name).read_text()
            assert old in text, f"{name} has no '{old}': give CHANGES another example"
            (root / name).write_text(text.replace(old, new))
            found = list(stale_references(root))
            assert found == [said], (name, old, found)
            (root / name).write_text(text)


if __name__ == "__main__":
    self_test()
    known = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"], cwd=ROOT,
                           check=True, capture_output=True, text=True).stdout
    wrong = [*complaints(ROOT, sorted(filter(None, known.split("\0")))), *stale_references(ROOT)]
    if not wrong:
        self_test_of_references()
    print("\n".join(wrong) if wrong else "every link leads somewhere, the reference pages are what their sources say")
    sys.exit(1 if wrong else 0)
