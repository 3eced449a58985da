#!/usr/bin/env python3
"""go_proxy.py MODULE_FOLDER PATH VERSION OUT: the module as a Go module proxy serves it, so that GOPROXY=file://OUT, or
any web server over that folder, is one."""
import json
import pathlib
import sys
import zipfile

folder, path, version, out = sys.argv[1:]
served = pathlib.Path(out) / path / "@v"
served.mkdir(parents=True)
(served / "list").write_text(f"{version}\n")
(served / f"{version}.info").write_text(json.dumps({"Version": version}) + "\n")
(served / f"{version}.mod").write_bytes((pathlib.Path(folder) / "go.mod").read_bytes())
with zipfile.ZipFile(served / f"{version}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
    for file in sorted(pathlib.Path(folder).rglob("*")):
        if file.is_file():
            # A fixed time: the same sources make the same zip.
            entry = zipfile.ZipInfo(f"{path}@{version}/{file.relative_to(folder).as_posix()}")
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, file.read_bytes())
