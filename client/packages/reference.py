#!/usr/bin/env python3
"""reference.py OUT: the contract as one HTML page, OUT/contract.html, made of proto/ and its comments: every service, RPC,
message, field, enum and value, each with an anchor (`SessionService.CreateSession`, `Session.order_id`). It needs protoc
and Python's protobuf."""
import html
import pathlib
import re
import subprocess
import sys
import tempfile

from google.protobuf import descriptor_pb2

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROTO = ROOT / "proto"
PACKAGE = "kustom.ipp.v1"
Field = descriptor_pb2.FieldDescriptorProto
# Field numbers in descriptor.proto, by which comments are found.
MESSAGES, ENUMS, SERVICES, IN_MESSAGE, FIELDS, VALUES, METHODS, ONEOFS = 4, 5, 6, 3, 2, 2, 2, 8
ENUMS_IN_MESSAGE = 4
STYLE = """
:root { color-scheme: light dark; --line: #8884; --quiet: #777; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
code { font: .9em ui-monospace, monospace; }
h2 { border-top: 1px solid var(--line); padding-top: 1.5rem; }
h3 { margin: 1.5rem 0 .25rem; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1rem; }
th, td { border: 1px solid var(--line); padding: .3rem .6rem; text-align: left; vertical-align: top; }
td:first-child { white-space: nowrap; }
nav { columns: 14rem; }
small { color: var(--quiet); }
"""


class Contract:
    """The protos as descriptors, with the comment of each path."""

    def __init__(self):
        names = sorted(path.relative_to(PROTO).as_posix() for path in PROTO.rglob("*.proto"))
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["protoc", f"-I{PROTO}", "--include_source_info", f"--descriptor_set_out={folder}/set", *names],
                           check=True)
            files = descriptor_pb2.FileDescriptorSet.FromString(pathlib.Path(folder, "set").read_bytes()).file
        self.files = [file for file in files if file.package == PACKAGE]

    @staticmethod
    def comments(file):
        return {tuple(place.path): place.leading_comments for place in file.source_code_info.location}


def words(comment):
    """A comment as HTML: paragraphs, and what is in backticks as code."""
    paragraphs = [" ".join(part.split()) for part in re.split(r"\n\s*\n", comment.strip())]
    marked = [re.sub(r"`([^`]*)`", r"<code>\1</code>", html.escape(part, quote=False)) for part in paragraphs if part]
    return "".join(f"<p>{part}</p>" for part in marked)


def link(name):
    """A type's name, linked if it is the contract's."""
    short = name.lstrip(".").removeprefix(f"{PACKAGE}.")
    return f'<a href="#{short}">{short}</a>' if name.startswith(f".{PACKAGE}.") else html.escape(short)


def type_of(field, maps):
    kind = Field.Type.Name(field.type).removeprefix("TYPE_").lower()
    if field.type_name in maps:
        key, value = maps[field.type_name].field
        return f"map&lt;{type_of(key, maps)}, {type_of(value, maps)}&gt;"
    kind = link(field.type_name) if field.type_name else kind
    label = "repeated " if field.label == Field.LABEL_REPEATED else "optional " if field.proto3_optional else ""
    return label + kind


def row(anchor, *cells):
    return f'<tr id="{anchor}">' + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def message(descriptor, name, path, said):
    """A message with its fields, and what is declared in it."""
    yield f'<h3 id="{name}"><code>{name}</code></h3>{words(said.get(path, ""))}'
    maps = {f".{PACKAGE}.{name}.{inner.name}": inner for inner in descriptor.nested_type if inner.options.map_entry}
    rows = []
    for number, field in enumerate(descriptor.field):
        choice = ""
        if field.HasField("oneof_index") and not field.proto3_optional:
            choice = f" <small>one of {descriptor.oneof_decl[field.oneof_index].name}</small>"
        rows.append(row(f"{name}.{field.name}", f"<code>{field.name}</code> <small>{field.number}</small>",
                        type_of(field, maps) + choice, words(said.get((*path, FIELDS, number), ""))))
    if rows:
        yield "<table><tr><th>Field</th><th>Type</th><th>Meaning</th></tr>" + "".join(rows) + "</table>"
    for number, inner in enumerate(descriptor.nested_type):
        if not inner.options.map_entry:
            yield from message(inner, f"{name}.{inner.name}", (*path, IN_MESSAGE, number), said)
    for number, inner in enumerate(descriptor.enum_type):
        yield enum(inner, f"{name}.{inner.name}", (*path, ENUMS_IN_MESSAGE, number), said)


def enum(descriptor, name, path, said):
    rows = [row(f"{name}.{value.name}", f"<code>{value.name}</code> <small>{value.number}</small>",
                words(said.get((*path, VALUES, number), ""))) for number, value in enumerate(descriptor.value)]
    return (f'<h3 id="{name}"><code>{name}</code></h3>{words(said.get(path, ""))}'
            f'<table><tr><th>Value</th><th>Meaning</th></tr>{"".join(rows)}</table>')


def service(descriptor, path, said):
    yield f'<h3 id="{descriptor.name}"><code>{descriptor.name}</code></h3>{words(said.get(path, ""))}'
    rows = []
    for number, method in enumerate(descriptor.method):
        answer = ("stream " if method.server_streaming else "") + link(method.output_type)
        rows.append(row(f"{descriptor.name}.{method.name}", f"<code>{method.name}</code>",
                        f"{link(method.input_type)} → {answer}", words(said.get((*path, METHODS, number), ""))))
    yield "<table><tr><th>RPC</th><th>Request → response</th><th>What it does</th></tr>" + "".join(rows) + "</table>"


def page(contract):
    parts, names = [], []
    for file in contract.files:
        said = contract.comments(file)
        inside = []
        for number, each in enumerate(file.service):
            names.append(each.name)
            inside += service(each, (SERVICES, number), said)
        for number, each in enumerate(file.message_type):
            inside += message(each, each.name, (MESSAGES, number), said)
        for number, each in enumerate(file.enum_type):
            inside.append(enum(each, each.name, (ENUMS, number), said))
        if inside:
            parts.append(f"<h2>{file.name.split('/')[-1]}</h2>" + "\n".join(inside))
    menu = "".join(f'<div><a href="#{name}">{name}</a></div>' for name in names)
    return (f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{PACKAGE}</title>'
            f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head><body>'
            f"<h1><code>{PACKAGE}</code></h1><nav>{menu}</nav>\n" + "\n".join(parts) + "</body></html>\n")


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    (out / "contract.html").write_text(page(Contract()))


if __name__ == "__main__":
    main()
