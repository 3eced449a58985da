#!/usr/bin/env python3
"""sbom_check.py IMAGE ROOTFS NAME: holds NAME.cdx.json and the annotations of what build.sh made in the folder IMAGE
against the image's root file system. Prints what is wrong; exits with 1 then."""
import hashlib
import json
import pathlib
import re
import subprocess
import sys

import sboms


def copyright_complaints(root, bom):
    for name, _, _ in sboms.packages(bom):
        if not pathlib.Path(root, "usr/share/doc", name, "copyright").exists():
            yield f"{name} has no copyright file in the image"


def program_complaints(root, bom):
    programs = {one["name"]: one["hashes"][0]["content"] for one in bom["components"] if one["type"] == "application"}
    there = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in pathlib.Path(root, "usr/local/bin").iterdir()}
    if programs != there:
        yield f"programs: {programs} in the bill, {there} in the image"
    for one in bom["components"]:
        if one["type"] == "application" and "rapidjson-dev" not in [inner["name"] for inner in one.get("components", [])]:
            yield f"{one['name']}: what is compiled in is missing"


def image_complaints(folder, name, bom):
    [manifest] = json.loads((folder / name / "index.json").read_text())["manifests"]
    if manifest["digest"].replace(":", "%3A") not in bom["metadata"]["component"]["purl"]:
        yield f"it is of another image than {manifest['digest']}"
    said = json.loads((folder / name / "blobs" / manifest["digest"].replace(":", "/")).read_text())["annotations"]
    revision = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True,
                              cwd=pathlib.Path(__file__).parent).stdout.strip()
    for label, form in {"title": name, "version": r"\d+\.\d+\.\d+", "revision": revision, "description": ".+",
                       "created": r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ"}.items():
        if not re.fullmatch(form, said.get(f"org.opencontainers.image.{label}", "")):
            yield f"the annotation {label} is {said.get(f'org.opencontainers.image.{label}')}"
    if said["org.opencontainers.image.version"] != bom["metadata"]["component"]["version"]:
        yield "image and bill have different versions"


def main():
    folder, root = map(pathlib.Path, sys.argv[1:3])
    name = sys.argv[3]
    bom = json.loads((folder / f"{name}.cdx.json").read_text())
    found = [*sboms.complaints(bom), *copyright_complaints(root, bom), *program_complaints(root, bom),
             *image_complaints(folder, name, bom)]
    in_bill, there = sboms.packages(bom), sboms.installed(root)
    found += [f"{one} is in the image and not in the bill" for one in there if one not in in_bill]
    found += [f"{one} is in the bill and not in the image" for one in in_bill if one not in there]
    [system] = [one for one in bom["components"] if one["type"] == "operating-system"]
    if not re.search(rf'^VERSION_(ID|CODENAME)="?{system["version"]}"?$', (root / "usr/lib/os-release").read_text(), re.M):
        found.append(f"the system is not Debian {system['version']}")
    print("\n".join(found) or f"the bill of materials has the image's {len(there)} packages and 2 programs")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
