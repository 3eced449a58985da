#!/usr/bin/python3
"""The HTML reference of the contract has every service, RPC, message, field, enum and value, each with what its comment
says, and its links lead somewhere. Names are taken from the protos' text, not from what makes the page. And every service is in each
package."""
import html.parser
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
LINE = re.compile(r"^\s*(?:(service|message|enum|oneof|rpc)\s+(\w+)|(?:(?:repeated|optional)\s+)?(?:map<[^>]+>|[\w.]+)\s+(\w+)"
                  r"\s*=\s*\d+|([A-Z][A-Z0-9_]+)\s*=\s*\d+|(extend)\s)")


def names(text):
    """The full name of everything that a proto declares."""
    scopes, comment = [], False
    for line in text.splitlines():
        comment = bool(re.match(r"\s*//", line))
        if comment or re.match(r"\s*(syntax|package|import|option)\b", line) and not scopes:
            continue
        found = LINE.match(line)
        scope = ".".join(name for kind, name in scopes if kind in ("service", "message", "enum"))
        outside = any(kind in ("rpc", "extend", "") for kind, _ in scopes)
        declared = found and (found[2] or found[3] or found[4])
        if declared and not outside and found[1] != "oneof":
            yield f"{scope}.{declared}".lstrip(".")
        opened = line.count("{") - line.count("}")
        if opened > 0:
            kind = (found[1] or found[5] or "") if found else ""
            scopes.append((kind, found[2] or "" if found else ""))
        elif opened < 0:
            scopes.pop()


class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.empty, self.row, self.cells = [], set(), [], None, []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if "id" in given:
            self.ids.append(given["id"])
        if given.get("href", "").startswith("#"):
            self.links.add(given["href"][1:])
        if tag == "tr":
            self.row, self.cells = given.get("id"), []
        if tag == "td":
            self.cells.append("")

    def handle_data(self, data):
        if self.cells:
            self.cells[-1] += data

    def handle_endtag(self, tag):
        if tag == "tr" and self.row and not self.cells[-1].strip():
            self.empty.append(self.row)


def missing_in_packages():
    """Services that a package does not hand out, and protos that the TypeScript package does not export."""
    python = (ROOT / "client/python/src/ippclient/client.py").read_text()
    go = (ROOT / "client/go/ippclient/client.go").read_text()
    typescript = (ROOT / "client/typescript/src/contract.ts").read_text()
    for proto in sorted((ROOT / "proto").rglob("*.proto")):
        for service in re.findall(r"^service (\w+)", proto.read_text(), re.M):
            if f".{service}Stub(" not in python:
                yield f"{service}: client/python has no stub of it"
            if f".New{service}Client(" not in go:
                yield f"{service}: client/go has no stub of it"
            if f"/{proto.stem}_pb.js" not in typescript:
                yield f"{service}: client/typescript does not export it"


def main():
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, ROOT / "client/packages/reference.py", folder], check=True)
        page = Page(pathlib.Path(folder, "contract.html").read_text())
    expected = [name for proto in sorted((ROOT / "proto").rglob("*.proto")) for name in names(proto.read_text())]
    wrong = [f"{name}: is not on the page" for name in expected if name not in page.ids]
    wrong += [f"{name}: is on the page, and not in the protos" for name in set(page.ids) - set(expected)]
    wrong += [f"{name}: is on the page twice" for name in sorted({each for each in page.ids if page.ids.count(each) > 1})]
    wrong += [f"#{name}: leads nowhere" for name in sorted(page.links - set(page.ids))]
    wrong += [f"{name}: the page does not say what it means" for name in page.empty]
    wrong += list(missing_in_packages())
    if len(expected) < 300:
        wrong.append(f"only {len(expected)} names were found in the protos")
    print("\n".join(wrong) or f"{len(expected)} names, all on the page")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
