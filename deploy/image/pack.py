#!/usr/bin/env python3
"""pack.py BASE.tar BIN_DIR OUT [--architecture A] [--name N] [--description D] [--version V] [--revision R] [--source URL]
[--licenses L]: an OCI image layout (a folder) and OUT.tar of it, from base.sh's root file system and the programs in BIN_DIR.
The same input gives the same bytes, so an image's digest can be told from its parts. As root or not: nothing is unpacked. All times are
SOURCE_DATE_EPOCH. What the options say is in the manifest's annotations and the same in the labels; what is not given is
left out. The last line of the output is the digest.

https://github.com/opencontainers/image-spec/blob/main/image-layout.md, annotations.md
"""
import argparse
import gzip
import hashlib
import io
import json
import os
import pathlib
import platform
import shutil
import tarfile
import time

USER = "10001"
TIME = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


class Layout:
    def __init__(self, folder):
        shutil.rmtree(folder, ignore_errors=True)
        self.folder = pathlib.Path(folder)
        (self.folder / "blobs/sha256").mkdir(parents=True)

    def blob(self, media_type, content):
        digest = hashlib.sha256(content).hexdigest()
        (self.folder / "blobs/sha256" / digest).write_bytes(content)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}

    def document(self, media_type, value):
        return self.blob(media_type, json.dumps(value, sort_keys=True).encode())


def dated(entry):
    entry.mtime = TIME
    # Access times and the like of the machine that made it.
    entry.pax_headers = {}
    return entry


def base_layer(path):
    out = io.BytesIO()
    with tarfile.open(path) as source, tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as layer:
        for entry in source:
            layer.addfile(dated(entry), source.extractfile(entry) if entry.isreg() else None)
    return out.getvalue()


def program_layer(folder):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as layer:
        for program in sorted(pathlib.Path(folder).iterdir()):
            entry = tarfile.TarInfo(f"usr/local/bin/{program.name}")
            entry.mode, entry.size = 0o755, program.stat().st_size
            with program.open("rb") as content:
                layer.addfile(dated(entry), content)
    return out.getvalue()


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base")
    parser.add_argument("programs")
    parser.add_argument("out")
    parser.add_argument("--architecture", default=ARCHITECTURES.get(platform.machine()), choices=ARCHITECTURES.values())
    parser.add_argument("--name", default="ipp-gateway")
    parser.add_argument("--description", default="A gRPC gateway to Kustom's In-Person Payments API")
    for name in ("version", "revision", "source", "licenses"):
        parser.add_argument(f"--{name}", default="")
    return parser.parse_args()


def annotations(options, made):
    said = {
        "created": made,
        "title": options.name,
        "description": options.description,
        "version": options.version,
        "revision": options.revision,
        "source": options.source,
        "licenses": options.licenses,
    }
    return {f"org.opencontainers.image.{name}": value for name, value in said.items() if value}


def main():
    options = arguments()
    folder = options.out
    layout = Layout(folder)
    layers, diff_ids = [], []
    # Two layers: the libraries change with Debian, the programs with us.
    for content in (base_layer(options.base), program_layer(options.programs)):
        diff_ids.append("sha256:" + hashlib.sha256(content).hexdigest())
        layers.append(layout.blob("application/vnd.oci.image.layer.v1.tar+gzip", gzip.compress(content, 6, mtime=0)))
    made = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(TIME))
    said = annotations(options, made)
    config = layout.document("application/vnd.oci.image.config.v1+json", {
        "created": made,
        "architecture": options.architecture,
        "os": "linux",
        "config": {
            "User": USER,
            "ExposedPorts": {"50051/tcp": {}, "8080/tcp": {}, "9090/tcp": {}},
            "Env": ["PATH=/usr/local/bin"],
            "Entrypoint": ["ipp-gateway"],
            "Cmd": ["--config", "/etc/ipp-gateway/gateway.yaml"],
            "Volumes": {"/var/lib/ipp-gateway": {}},
            "WorkingDir": "/",
            "Labels": said,
        },
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "history": [{"created": made, "created_by": name} for name in ("base.sh", "pack.py")],
    })
    manifest = layout.document("application/vnd.oci.image.manifest.v1+json", {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config,
        "layers": layers,
        "annotations": said,
    })
    manifest["platform"] = {"architecture": options.architecture, "os": "linux"}
    manifest["annotations"] = {"org.opencontainers.image.ref.name": "latest"}
    (layout.folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [manifest]}))
    (layout.folder / "oci-layout").write_text(json.dumps({"imageLayoutVersion": "1.0.0"}))
    with tarfile.open(f"{folder}.tar", "w") as archive:
        for path in sorted(layout.folder.rglob("*")):
            archive.add(path, path.relative_to(layout.folder), recursive=False, filter=dated)
    print(manifest["digest"])


if __name__ == "__main__":
    main()
