#!/usr/bin/env python3
"""sbom.py BASE.tar BIN_DIR --digest sha256:… --version V [--name N] [--architecture A] [--revision R]
[--releases FILE] [--compiled-in NAME=VERSION …]: the software bill of materials of the image that pack.py made of BASE.tar
and BIN_DIR, on stdout, as CycloneDX 1.6. It has each package of the image's own database (/var/lib/dpkg/status.d) with its licences
as far as its copyright file names them, each program with its SHA-256, and within the programs the packages of Debian that
were compiled into them (headers only). --releases is base.sh's OUT.releases. The same input gives the same text; its time
is SOURCE_DATE_EPOCH.

https://cyclonedx.org/docs/1.6/json/, https://github.com/package-url/purl-spec (type deb)
"""
import argparse
import hashlib
import json
import os
import pathlib
import re
import tarfile
import time
import urllib.parse
import uuid

TIME = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))
# Debian's short names (https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/) whose SPDX identifier is another.
# A name that is not here stays what the file says.
SPDX = {"expat": "MIT", "mit": "MIT", "apache-2.0": "Apache-2.0", "apache-2": "Apache-2.0", "bsd-2-clause": "BSD-2-Clause",
        "bsd-3-clause": "BSD-3-Clause", "bsd-4-clause": "BSD-4-Clause", "isc": "ISC", "zlib": "Zlib", "curl": "curl",
        "postgresql": "PostgreSQL", "bsl-1.0": "BSL-1.0", "mpl-1.1": "MPL-1.1", "mpl-2.0": "MPL-2.0", "openssl": "OpenSSL",
        "cc0-1.0": "CC0-1.0", "cc0": "CC0-1.0"}
GNU = re.compile(r"(GPL-[123]|LGPL-(?:2\.1|[23])|AGPL-3)(?:\.0)?(\+?)")


def spdx(name):
    """The SPDX identifier of a licence that Debian calls `name`; None where it is not known to be the same."""
    if gnu := GNU.fullmatch(name):
        number = gnu[1] if "." in gnu[1] else f"{gnu[1]}.0"
        return f"{number}-or-later" if gnu[2] else f"{number}-only"
    return SPDX.get(name.lower())


def fields(text):
    """The single-line fields of one of dpkg's paragraphs."""
    return dict(line.split(": ", 1) for line in text.splitlines() if ": " in line and not line[0].isspace())


def licences(copyright_text):
    """The names in a copyright file. In one that is only prose: the texts in /usr/share/common-licenses that it refers to,
    by their files' names, since prose may say "or later"."""
    if re.match(r"Format(-Specification)?:", copyright_text.lstrip()):
        names = {name.strip() for name in re.findall(r"^License:[ \t]*(\S[^\n]*)$", copyright_text, re.M)}
        known = {spdx(name) or name: spdx(name) for name in names}
    else:
        known = dict.fromkeys(re.findall(r"/usr/share/common-licenses/([A-Za-z0-9.+-]*[A-Za-z0-9+])", copyright_text))
    return [{"license": {"id": known[name]} if known[name] else {"name": name}} for name in sorted(known)]


def deb_url(name, version, architecture, distro, source):
    """Its purl; `upstream` is the source package, as scanners read it, which have Debian's CVEs by source."""
    quote = urllib.parse.quote
    qualifiers = {"arch": architecture, "distro": distro, "upstream": source}
    said = "&".join(f"{key}={quote(value, safe='')}" for key, value in qualifiers.items() if value)
    return f"pkg:deb/debian/{quote(name, safe='')}@{quote(version, safe='')}?{said}"


def package(control, copyright_text, distro):
    name, version, architecture = control["Package"], control["Version"], control["Architecture"]
    # "name" or "name (version)", where they are not the binary package's.
    source, _, source_version = control.get("Source", name).rstrip(")").partition(" (")
    url = deb_url(name, version, architecture, distro, f"{source}@{source_version}" if source_version else
                  source if source != name else "")
    component = {
        "type": "library", "bom-ref": url, "name": name, "version": version, "purl": url,
        "properties": [{"name": "debian:source", "value": source},
                       {"name": "debian:source-version", "value": source_version or version},
                       {"name": "debian:architecture", "value": architecture}],
    }
    if "Maintainer" in control:
        component["supplier"] = {"name": control["Maintainer"].split(" <")[0]}
    if found := licences(copyright_text):
        component["licenses"] = found
    if "Homepage" in control:
        component["externalReferences"] = [{"type": "website", "url": control["Homepage"]}]
    return component


def read_base(path):
    """The files of the image that this is about: its packages, their copyright files, its release of Debian."""
    read = {}
    with tarfile.open(path) as base:
        for entry in base:
            name = entry.name.removeprefix("./")
            if entry.isreg() and re.match(r"var/lib/dpkg/status\.d/|usr/share/doc/[^/]+/copyright$|usr/lib/os-release$", name):
                read[name] = base.extractfile(entry).read().decode(errors="replace")
    return read


def program(path, options, compiled_in):
    return {
        "type": "application", "bom-ref": f"program:{path.name}", "name": path.name, "version": options.version,
        "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(path.read_bytes()).hexdigest()}],
        **({"components": [{**one, "bom-ref": f"{path.name}:{one['bom-ref']}"} for one in compiled_in]} if compiled_in else {}),
    }


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base")
    parser.add_argument("programs", type=pathlib.Path)
    parser.add_argument("--digest", required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--name", default="ipp-gateway")
    parser.add_argument("--architecture", default="amd64")
    parser.add_argument("--revision", default="")
    parser.add_argument("--releases", type=pathlib.Path)
    parser.add_argument("--compiled-in", nargs="*", default=[])
    return parser.parse_args()


def main():
    options = arguments()
    read = read_base(options.base)
    system = {key: value.strip('"') for key, value in
              (line.split("=", 1) for line in read["usr/lib/os-release"].splitlines() if "=" in line)}
    # sid has a name and no number.
    release = system.get("VERSION_ID") or system["VERSION_CODENAME"]
    distro = f"{system['ID']}-{release}"
    packages = [package(fields(text), read.get(f"usr/share/doc/{name.rpartition('/')[2]}/copyright", ""), distro)
                for name, text in sorted(read.items()) if name.startswith("var/lib/dpkg/status.d/")]
    headers = [package({"Package": name, "Version": version, "Architecture": options.architecture}, "", distro)
               for name, _, version in (one.partition("=") for one in sorted(options.compiled_in))]
    programs = [program(path, options, headers) for path in sorted(options.programs.iterdir())]
    states = [line.split() for line in options.releases.read_text().splitlines()] if options.releases else []
    debian = {
        "type": "operating-system", "bom-ref": "debian", "name": system["ID"], "version": release,
        "description": system.get("PRETTY_NAME", ""),
        "properties": [{"name": f"debian:archive:{suite}:{key}", "value": value}
                       for suite, date, digest in states for key, value in (("date", date), ("inrelease-sha256", digest))],
    }
    image = f"pkg:oci/{options.name}@{urllib.parse.quote(options.digest, safe='')}?arch={options.architecture}"
    components = [debian, *programs, *packages]
    said = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(TIME)),
            "tools": {"components": [{"type": "application", "name": "ipp-gateway deploy/image/sbom.py"}]},
            "component": {
                "type": "container", "bom-ref": image, "name": options.name, "version": options.version, "purl": image,
                "properties": [{"name": "revision", "value": options.revision}] if options.revision else [],
            },
        },
        "components": components,
        "dependencies": [{"ref": image, "dependsOn": [one["bom-ref"] for one in components]}],
    }
    # The same text has the same number.
    content = json.dumps(said, sort_keys=True)
    print(json.dumps({**said, "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, content)}"}, indent=1, sort_keys=True))


if __name__ == "__main__":
    main()
