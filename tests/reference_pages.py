#!/usr/bin/python3
"""The two reference pages, made from the sources: docs/configuration.md (keys and comments of config.proto, ranges and
allowed values of validate.cc) and docs/permissions.md (the RPCs of the contract and their `route`).

`./dev golden` writes them; the test `pages` fails while one differs from what the sources say. A default is taken from the
comment of its key; ReferenceOfTheConfiguration (tests/config/defaults_test.cc) holds the comment against the code.
validate.cc is read strictly: a rule in a form that is not known here is an error, not a gap in the page.
"""
import math
import pathlib
import re
import subprocess
import sys
import tempfile
import textwrap

from google.protobuf import descriptor_pb2

ROOT = pathlib.Path(__file__).resolve().parent.parent
CONFIG = "server/config/config.proto"
Field = descriptor_pb2.FieldDescriptorProto


class Wrong(Exception):
    """The sources do not say what a page needs."""


def described(root):
    """The contract and the configuration as descriptors with comments, and annotations.proto as a module."""
    with tempfile.TemporaryDirectory() as folder:
        contract = sorted(str(path.relative_to(root / "proto")) for path in (root / "proto").rglob("*.proto"))
        done = subprocess.run(
            ["protoc", f"-I{root / 'proto'}", f"-I{root}", "--include_source_info",
             f"--descriptor_set_out={folder}/set", f"--python_out={folder}", *contract, CONFIG],
            capture_output=True, text=True, check=False)
        if done.returncode:
            raise Wrong(done.stderr.strip())
        sys.path.insert(0, folder)
        try:
            from kustom.ipp.v1 import annotations_pb2  # pylint: disable=import-outside-toplevel
        finally:
            sys.path.remove(folder)
        files = descriptor_pb2.FileDescriptorSet.FromString(pathlib.Path(folder, "set").read_bytes()).file
    return {file.name: file for file in files}, annotations_pb2


def comments(file):
    """The comment before each declaration, as one line, by the declaration's path in the descriptor."""
    return {tuple(place.path): " ".join(place.leading_comments.split()) for place in file.source_code_info.location}


def cell(text):
    """Text for a table of Markdown: what is not code has no markup."""
    parts = re.split(r"(`[^`]*`)", text)
    parts[::2] = [re.sub(r"([*<])", r"\\\1", part) for part in parts[::2]]
    return "".join(parts).replace("|", "\\|")


def wrapped(paragraph):
    return textwrap.fill(paragraph, 120, break_long_words=False, break_on_hyphens=False) + "\n"


def table(head, lines):
    lines = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


# What validate.cc says: allowed values, ranges, and what is required.

UNITS = {"Milliseconds": 1, "Seconds": 1000, "Minutes": 60_000, "Hours": 3_600_000}

# Bounds that are no numbers, as a reader of the page needs them.
OTHER_BOUNDS = {
    "ToDuration(reconcile.first())": "`reconcile.first`",
    "retention <= absl::Hours(24 * 366) ? retention : absl::ZeroDuration()": "`events.retention`",
    "absl::ZeroDuration()": "0s",
    "std::numeric_limits<int32_t>::max()": str(2**31 - 1),
}


def calls(source, function):
    """The arguments of each call of `function`, and what is before the call."""
    for match in re.finditer(rf"(?<!void )\b{function}\(", source):
        args, depth, start = [], 0, match.end()
        for at in range(start, len(source)):
            depth += {**dict.fromkeys("({", 1), **dict.fromkeys(")}", -1)}.get(source[at], 0)
            if depth < 0 or (depth == 0 and source[at] == ","):
                args.append(" ".join(source[start:at].split()))
                start = at + 1
            if depth < 0:
                break
        yield args, source[:match.start()]


def fields_of(argument, before):
    """The keys that a rule's first argument names. `path` is what is before the key: a list's item or a port's section."""
    if re.fullmatch(r'absl::StrCat\("(\w+\.)", field\)', argument):  # for (… {"name", section.name()} …)
        names = re.findall(r'\{"(\w+)", \w+\.\1\(\)\}', before[before.rindex("for ("):])
        return [argument.split('"')[1] + name for name in names]
    match = re.fullmatch(r'(?:path \+ )?"([\w.]+)"', argument)
    return [match[1]] if match else []


def bound(text):
    if text in OTHER_BOUNDS:
        return OTHER_BOUNDS[text]
    match = re.fullmatch(r"(?:absl::(\w+)\()?([\d' *]+)\)?", text)
    if not match or match[1] not in {None, *UNITS}:
        raise Wrong(f"validate.cc: the bound {text} is not known to tests/reference_pages.py")
    number = math.prod(int(factor.replace("'", "")) for factor in match[2].split("*"))
    if match[1] is None:
        return str(number)
    number *= UNITS[match[1]]
    unit = next(size for size in (3_600_000, 60_000, 1000, 1) if number % size == 0)
    return f"{number // unit}{ {3_600_000: 'h', 60_000: 'm', 1000: 's', 1: 'ms'}[unit] }"


def rules(source):
    """Suffix of a key and what it may be; suffixes of keys that are required, always or sometimes."""
    source = re.sub(r"^\s*//.*$", "", source, flags=re.M)
    allowed = {}
    for function in ("Between", "OneOf"):
        for args, before in calls(source, function):
            keys = fields_of(args[0], before)
            if not keys:
                raise Wrong(f"validate.cc: {function}({args[0]}, …) is not known to tests/reference_pages.py")
            what = (f"{bound(args[2])} to {bound(args[3])}" if function == "Between" else
                    ", ".join(f"`{word}`" for word in re.findall(r'"(\w+)"', args[2])))
            allowed.update(dict.fromkeys(keys, what))
    required = {key for args, _ in calls(source, "Required") for key in fields_of(args[0], "")}
    required |= {key for args, _ in calls(source, "Add") if re.search(r'"[^"]*is required', args[1])
                 for key in fields_of(args[0], "")}
    # CheckBaseUrl and the Listeners name their key in a variable.
    return allowed, required | set(re.findall(r'field = "([\w.]+)";\s*if \(\w+\.empty\(\)\) return Required', source))


# docs/configuration.md


class Key:
    """One key: `name` is its path in the file, without positions in lists."""

    def __init__(self, name, field, comment, in_list):
        self.name, self.field, self.comment, self.in_list = name, field, comment, in_list
        self.section = field.type == Field.TYPE_MESSAGE and field.type_name != ".google.protobuf.Duration"
        self.list = field.label == Field.LABEL_REPEATED

    def variable(self):
        return "" if self.in_list else "IPP_" + self.name.upper().replace(".", "__")

    def default(self):
        """As NamesTheDefaultOfEveryKeyThatHasOne reads it. A key without one is zero in the message."""
        match = re.search(r"Default (\S+)", self.comment)
        zero = {Field.TYPE_BOOL: "false", Field.TYPE_INT32: "0"}
        return match[1].rstrip(".,") if match else zero.get(self.field.type, "")

    def required(self):
        return re.search(r"(?:^| )Required\.", self.comment) is not None

    def meaning(self):
        return re.sub(r"(?:^| )(?:Default \S+\.(?= |$)|Required\.)", "", self.comment).strip()


def keys_of(messages, message, before="", in_list=False):
    """All keys below a message, sections before what is in them."""
    descriptor, said = messages[message]
    for number, field in enumerate(descriptor.field):
        key = Key(before + field.name, field, said.get(number, ""), in_list)
        if not key.comment:
            raise Wrong(f"{CONFIG}: {descriptor.name}.{field.name} has no comment")
        yield key
        if key.section:
            yield from keys_of(messages, field.type_name, key.name + ".", in_list or key.list)


def value_of(key, allowed):
    if key.section:
        return "list of sections" if key.list else "section"
    if key.field.type == Field.TYPE_BOOL:
        return "`true`, `false`"
    if key.field.type == Field.TYPE_STRING:
        kind = "path of a file" if key.name.endswith("_file") or key.name == "store.sqlite.path" else "text"
        return "list of texts" if key.list else allowed or kind
    if not allowed:
        raise Wrong(f"validate.cc: {key.name} has no range")
    return f"{'number' if key.field.type == Field.TYPE_INT32 else 'duration'}, {allowed}"


def rows(keys, section, allowed):
    for key in keys:
        name = key.name.removeprefix(section + ".")
        given = "required" if key.required() else f"`{key.default()}`" if key.default() else ""
        variable = f"<br>`{key.variable()}`" if key.variable() else ""
        yield [f"`{name}`{variable}", value_of(key, allowed.get(key.name, "")), given, cell(key.meaning())]


CONFIGURATION = """# Configuration

Every key of the gateway's configuration file. `./dev golden` makes this page from the comments of
[server/config/config.proto](../server/config/config.proto) and the rules of
[server/config/validate.cc](../server/config/validate.cc); change those, not the page. A file with every key in its place is
[deploy/gateway.example.yaml](../deploy/gateway.example.yaml); the permissions of callers are in
[permissions.md](permissions.md).

* The file is YAML and is named by `--config FILE`. `ipp-gateway --config FILE --check-config` says what is wrong with it and
  starts nothing. A key that is not known is an error, and so is a value that is not allowed: the gateway does not start, and
  names the key and the line. `/configz` on the admin port shows the configuration in force.
* The least that a file can hold: `upstream.base_url`, one of `merchants` and a `store`.
* Precedence: the flags `--listen` and `--log-level`, then environment variables, then the file, then the defaults.
* A variable's name is `IPP_` and the key in capitals, with two underscores for each level:
  `IPP_UPSTREAM__BASE_URL=https://…` is `upstream.base_url`. A section or a list is given as a whole, as YAML text, and
  replaces what the file has there: `IPP_MERCHANTS='[{id: PM00876249, api_key_file: /run/secrets/key}]'`. A variable for a
  single key wins over one for its section. The keys in a list's items have no variables.
* Durations are written `500ms`, `10s`, `1m30s`, `168h`; there is no unit above hours. Sizes are bytes.
* Secrets are never values: a key names the file that holds the secret.
* No two of `listen`, `webhooks.listen` and `admin.listen` may have the same port, except 0 (any free one).

The second column says what a value may be, the third what it is when the key is absent.

"""


def configuration(file, source):
    about = comments(file)
    messages = {f".{file.package}.{message.name}": (message, {
        number: about.get((4, index, 2, number), "") for number in range(len(message.field))})
        for index, message in enumerate(file.message_type)}
    keys = list(keys_of(messages, f".{file.package}.Config"))

    by_suffix, required = rules(source)
    allowed = {}
    for suffix, what in by_suffix.items():
        found = [key.name for key in keys if f".{key.name}".endswith(f".{suffix}")]
        if not found or set(found) & set(allowed):
            raise Wrong(f"validate.cc: {suffix} is not one key: {found}")
        allowed.update(dict.fromkeys(found, what))
    for key in keys:
        rule = any(f".{key.name}".endswith(f".{suffix}") for suffix in required if "." in suffix or
                   key.in_list or suffix == key.name)
        if rule != ("Required" in key.comment):
            said, does = ("does not say", "requires it") if rule else ("says", "does not require it")
            raise Wrong(f"{CONFIG}: the comment of {key.name} {said} that it is required, but validate.cc {does}")

    sections = [key for key in keys if key.section and "." not in key.name]
    top = [key for key in keys if "." not in key.name and key not in sections]
    head = ["Key, variable", "Value", "Default", "Meaning"]
    page = CONFIGURATION + wrapped("Sections: " + ", ".join(f"[`{key.name}`](#{key.name})" for key in sections) + ".")
    page += "\n## Keys outside the sections\n\n" + table(head, rows(top, "", allowed))
    for section in sections:
        about = cell(section.meaning()) + (" Required." if section.required() else "")
        about += f" Variable for the whole {'list' if section.list else 'section'}: `{section.variable()}`."
        page += f"\n## `{section.name}`\n\n{wrapped(about)}\n"
        page += table(head, rows([key for key in keys if key.name.startswith(section.name + ".")], section.name, allowed))
    return page


# docs/permissions.md

PERMISSIONS = """# Permissions

What a caller may do: every RPC and the permission that it needs. `./dev golden` makes this page from the `route` options and
comments of [proto/kustom/ipp/v1](../proto/kustom/ipp/v1); change those, not the page.

A caller's permissions are in the [configuration](configuration.md#callers):

```yaml
callers:
  - name: order-service
    token_sha256_file: /run/secrets/order-service-token.sha256
    merchants: [PM00876249]
    permissions: [sessions.write, sessions.read, events.read]
```

* A permission is a group and an action: `sessions.read`. `write` does not include `read`.
* `sessions.*` is every permission of the group, `*` is every permission, both also those that later releases add. There is
  no other wildcard: `sess*` and `*.read` are not known.
* A permission that no RPC needs stops the start, and `--check-config`, with an error that names the caller.
* Without the permission a call ends with `PERMISSION_DENIED` / `PERMISSION_MISSING`; the error's metadata names the
  `permission` and the `caller`. See [when-a-call-fails.md](when-a-call-fails.md).
* A permission holds for the caller's own `merchants` only.
* Without `callers` every client has every permission; the gateway listens on loopback only then.
* gRPC's health service and reflection (`reflection: false` switches it off) need no permission.

An RPC that changes something does so at Kustom, and is one `audit` line in the log, whatever came of it.

"""


def first_sentence(comment):
    return re.match(r".*?\.(?= |$)|.*", comment)[0]


def permissions(files, annotations):
    rpcs, page, by_permission = 0, "", {}
    for file in files:
        said = comments(file)
        for index, service in enumerate(file.service):
            lines = []
            for number, rpc in enumerate(service.method):
                comment = said.get((6, index, 2, number), "")
                route = rpc.options.Extensions[annotations.route]
                if not comment or not route.permission:
                    raise Wrong(f"{file.name}: {service.name}.{rpc.name} has no {'permission' if comment else 'comment'}")
                # As Route::is_change() in server/routes/route_table.h.
                change = bool(route.method) and route.repeat != annotations.REPEAT_READ
                lines.append([f"`{rpc.name}`", f"`{route.permission}`", "yes" if change else "no",
                              cell(first_sentence(comment))])
                by_permission.setdefault(route.permission, []).append(rpc.name)
                rpcs += 1
            page += f"## `{service.name}`\n\n{wrapped(cell(first_sentence(said.get((6, index), ''))))}\n"
            page += table(["RPC", "Permission", "Changes something", "What it does"], lines) + "\n"
    page += "## By permission\n\n" + table(["Permission", "Opens"], [
        [f"`{name}`", ", ".join(f"`{rpc}`" for rpc in by_permission[name])] for name in sorted(by_permission)])
    return PERMISSIONS + f"There are {rpcs} RPCs and {len(by_permission)} permissions.\n\n" + page


def pages(root):
    """Name and text of each page."""
    files, annotations = described(root)
    return {
        "docs/configuration.md": configuration(files[CONFIG], (root / "server/config/validate.cc").read_text()),
        "docs/permissions.md": permissions([file for file in files.values() if file.service], annotations),
    }


if __name__ == "__main__":
    for written, content in pages(ROOT).items():
        (ROOT / written).write_text(content)
