#!/usr/bin/env python3
"""Who may include whom. One way only; third parties each behind one door."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SERVER = ROOT / "server"

# Module → modules of server/ that it may include. The processes' own files (server/*.cc) may include all.
MODULES = {
    "base": set(),
    "files": {"base"},
    "json": {"base"},
    "routes": {"json", "base"},
    "http": {"base"},
    "upstream": {"routes", "json", "http", "base"},
    "store": {"base"},
    "creates": {"upstream", "routes", "store", "base"},
    "sessions": {"creates", "upstream", "routes", "store", "base"},
    "events": {"store", "base"},
    "shared": {"events", "store", "base"},
    "reports": {"creates", "store", "base"},
    "web": {"base"},
    "webhook": {"sessions", "store", "json", "web", "base"},
    "console": {"reports", "shared", "store", "web", "base"},
    "admin": {"web", "base"},
    "auth": {"base"},
    "config": {"base"},
    "tracing": {"base"},
    "grpc_port": {"base"},
    "rpc": {"grpc_port", "upstream", "creates", "sessions", "events", "reports", "shared", "store", "auth", "routes", "base"},
}

# Include prefix → folders or files that may use it.
THIRD_PARTIES = {
    r"grpc(pp)?/": {"server/grpc_port", "server/rpc", "client", "server/base/library_versions.h"},
    r".*\.grpc\.pb\.h": {"server/rpc", "client"},
    r"rapidjson/": {"server/json"},
    r"curl/": {"server/http"},
    r"sqlite3\.h": {"server/store/sqlite"},
    r"libpq": {"server/store/postgres"},
    r"boost/": {"server/web", "simulator"},
    r"nghttp2/": {"server/http", "simulator"},
    r"zlib\.h": {"server/http"},
    r"yaml-cpp/": {"server/config", "client/ippctl"},
    r"(spdlog|prometheus)/": {"server/base"},
    r"opentelemetry/": {"server/tracing"},
    r"google/protobuf/util/json_util": {"client"},
}

# What of server/, beside base, the command line may include: to send webhooks and to sign them (docs/adr/0014), and to
# ask the simulator. Not the
# client library, which stays free of both.
IPPCTL_MAY_INCLUDE = {"server/http/http_transport.h", "server/http/curl_transport.h", "server/webhook/signature.h"}

# Ways to show a message, and the files that may: everybody else shows it masked (server/base/masked_text.h).
SHOWING = re.compile(r"DebugString\(|TextFormat|MessageToJsonString")
MAY_SHOW = {"server/base/masked_text.cc", "client/ippctl/command.cc"}

# What the client library's public headers may include: they are installed without the rest.
PUBLIC = re.compile(r"(ippclient|grpcpp|absl|google/protobuf|kustom)/|[a-z_]+$")

# The only file that asks which version of a library it is compiled with.
ASKS_VERSION = re.compile(r"^\s*#\s*(el)?if.*(__has_include|VERSION|LTS)", re.M)
MAY_ASK_VERSION = "server/base/library_versions.h"

# It comes with other headers of Abseil in some versions, and does not in others.
JOINS_TEXT = re.compile(r"^[^/\n]*\babsl::(StrCat|StrAppend)\(", re.M)
JOINING = "absl/strings/str_cat.h"

INCLUDE = re.compile(r'^\s*#\s*include\s+[<"]([^>"]+)[>"]')


def includes(path):
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1)


def breaches(root):
    """Yields a line for each include that crosses a fence."""
    for path in sorted(p for top in ("server", "client", "simulator") for p in (root / top).rglob("*.[ch]*")):
        relative = path.relative_to(root).as_posix()
        folder = relative.split("/")
        module = folder[1] if folder[0] == "server" and len(folder) > 2 else None
        if module is not None and module not in MODULES:
            yield f"{relative}: module {module} is not in tests/fences_test.py"
            continue
        if folder[0] != "simulator" and relative not in MAY_SHOW:
            for number, line in enumerate(path.read_text().splitlines(), 1):
                if SHOWING.search(line):
                    yield f"{relative}:{number}: shows a message that may hold secrets: use MaskedText"
        if relative != MAY_ASK_VERSION and ASKS_VERSION.search(path.read_text()):
            yield f"{relative}: asks for a library's version, which only {MAY_ASK_VERSION} may"
        for number, name in includes(path):
            where = f"{relative}:{number}: "
            target = re.match(r"server/(\w+)/", name)
            if folder[0] == "simulator" and name.startswith(("server/", "kustom/")):
                yield where + "the simulator shares no code with the gateway"
            if folder[0] == "client" and name.startswith("server/") and target.group(1) != "base":
                if not (relative.startswith("client/ippctl/") and name in IPPCTL_MAY_INCLUDE):
                    yield where + f"client may include server/base only, not {name}"
            in_library = folder[0] == "client" and folder[1] != "ippctl"
            if in_library and name.startswith("server/") and name != "server/base/mutex.h":
                yield where + f"the client library is installed without the gateway: not {name}"
            if relative.startswith("client/include/") and not PUBLIC.match(name):
                yield where + f"{name} is not installed with the client library"
            if module and target and target.group(1) not in MODULES[module] | {module}:
                yield where + f"{module} may not include {target.group(1)}"
            for pattern, allowed in THIRD_PARTIES.items():
                if re.match(pattern, name) and not any((relative + "/").startswith(a + "/") for a in allowed):
                    yield where + f"{name} belongs behind {sorted(allowed) or 'no door of ours'}"


    for path in sorted(p for top in ("server", "client", "simulator", "tests") for p in (root / top).rglob("*.[ch]*")):
        # node_modules and the like are not files of ours.
        if path.suffix not in (".h", ".cc") or not path.is_file():
            continue
        text = path.read_text()
        own = path.with_suffix(".h")
        if JOINS_TEXT.search(text) and JOINING not in text and not (own.exists() and JOINING in own.read_text()):
            yield f"{path.relative_to(root).as_posix()}: joins text without {JOINING}"


def self_test(tmp):
    """The check finds what it is for."""
    bad = {
        "server/json/a.cc": '#include "server/http/b.h"\n',
        "server/store/a.cc": "#include <curl/curl.h>\n",
        "server/upstream/a.cc": '#include "kustom/ipp/v1/device.grpc.pb.h"\n',
        "simulator/a.cc": '#include "server/base/clock.h"\n',
        "client/a.cc": '#include "server/base/error.h"\n',
        "client/b.cc": '#include "server/http/http_transport.h"\n',
        "client/include/ippclient/a.h": '#include "client/machine.h"\n',
        "client/ippctl/a.cc": '#include "server/http/curl_loop.h"\n',
        "server/newmodule/a.cc": "",
        "server/base/a.h": '#if __has_include("absl/log/log.h")\n',
        "tests/store/a.cc": 'auto text = absl::StrCat(1);\n',
        "server/rpc/a.cc": "LogInfo(request.ShortDebugString());\n",
    }
    for name, text in bad.items():
        (tmp / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp / name).write_text(text)
    found = {line.split(":")[0] for line in breaches(tmp)}
    assert found == set(bad), set(bad) - found


def main():
    import tempfile

    with tempfile.TemporaryDirectory() as tmp:
        self_test(pathlib.Path(tmp))
    found = list(breaches(ROOT))
    print("\n".join(found) if found else "include fences hold")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
