#!/usr/bin/env python3
"""deploy/image/pack.py makes what the image specification says, and the same from the same; the Dockerfile agrees."""
import hashlib
import io
import json
import pathlib
import re
import tarfile
import tempfile
import time
import unittest

import bed

IMAGE = bed.DEPLOY / "image"
DOCKERFILE = (bed.DEPLOY / "Dockerfile").read_text()


def pack(folder, content, mtime, *options):
    """An image of a base with one file and one program; its digest."""
    with tarfile.open(f"{folder}/base.tar", "w") as base:
        entry = tarfile.TarInfo("./etc/file")
        entry.size, entry.mtime = len(content), mtime
        base.addfile(entry, io.BytesIO(content))
    programs = pathlib.Path(folder, "programs")
    programs.mkdir(exist_ok=True)
    (programs / "ipp-gateway").write_bytes(b"a program")
    done = bed.run(IMAGE / "pack.py", f"{folder}/base.tar", programs, f"{folder}/image", *options)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


class Pack(unittest.TestCase):
    def test_gives_the_same_digest_for_the_same_content_at_another_time(self):
        with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
            first = pack(one, b"content", mtime=1)
            self.assertEqual(first, pack(two, b"content", mtime=time.time()))
            self.assertNotEqual(first, pack(two, b"other", mtime=1))
            pack(two, b"content", mtime=2)
            self.assertEqual(pathlib.Path(f"{one}/image.tar").read_bytes(), pathlib.Path(f"{two}/image.tar").read_bytes())

    def test_says_what_it_is_in_annotations_and_labels(self):
        with tempfile.TemporaryDirectory() as folder:
            pack(folder, b"content", 1, "--version", "1.2.3", "--revision", "abc", "--architecture", "arm64")
            layout = pathlib.Path(folder, "image")
            [listed] = json.loads((layout / "index.json").read_text())["manifests"]
            self.assertEqual({"architecture": "arm64", "os": "linux"}, listed["platform"])
            manifest = json.loads((layout / "blobs" / listed["digest"].replace(":", "/")).read_text())
            config = json.loads((layout / "blobs" / manifest["config"]["digest"].replace(":", "/")).read_text())
            said = {name.removeprefix("org.opencontainers.image."): value for name, value in manifest["annotations"].items()}
            # What is not given is not there: no source, no licences.
            self.assertEqual({"created", "title", "description", "version", "revision"}, said.keys())
            self.assertEqual(("1970-01-01T00:00:00Z", "1.2.3", "abc"), (said["created"], said["version"], said["revision"]))
            self.assertEqual(manifest["annotations"], config["config"]["Labels"])
            self.assertEqual("arm64", config["architecture"])
            pack(folder, b"content", 1, "--source", "https://example.com/x", "--licenses", "MIT", "--name", "ipp-gateway-x")
            [listed] = json.loads((layout / "index.json").read_text())["manifests"]
            manifest = json.loads((layout / "blobs" / listed["digest"].replace(":", "/")).read_text())
            self.assertEqual("https://example.com/x", manifest["annotations"]["org.opencontainers.image.source"])
            self.assertEqual("MIT", manifest["annotations"]["org.opencontainers.image.licenses"])
            self.assertEqual("ipp-gateway-x", manifest["annotations"]["org.opencontainers.image.title"])

    def test_names_every_part_by_its_digest_and_size(self):
        with tempfile.TemporaryDirectory() as folder:
            digest = pack(folder, b"content", mtime=1)
            layout = pathlib.Path(folder, "image")

            def read(part):
                content = (layout / "blobs" / part["digest"].replace(":", "/")).read_bytes()
                self.assertEqual(part["size"], len(content))
                self.assertEqual(part["digest"], "sha256:" + hashlib.sha256(content).hexdigest())
                return content
            [manifest] = json.loads((layout / "index.json").read_text())["manifests"]
            self.assertEqual(digest, manifest["digest"])
            parts = json.loads(read(manifest))
            config = json.loads(read(parts["config"]))
            names = []
            for layer, diff_id in zip(parts["layers"], config["rootfs"]["diff_ids"], strict=True):
                with tarfile.open(fileobj=io.BytesIO(read(layer)), mode="r:gz") as content:
                    names += [(entry.name, entry.uid) for entry in content]
                self.assertEqual(71, len(diff_id))
            self.assertEqual([("./etc/file", 0), ("usr/local/bin/ipp-gateway", 0)], names)

            # What the Dockerfile says.
            settings = config["config"]
            self.assertIn(f"\nUSER {settings['User']}\n", DOCKERFILE)
            self.assertIn(f"\nENTRYPOINT {json.dumps(settings['Entrypoint'])}\n", DOCKERFILE)
            self.assertIn(f"\nCMD {json.dumps(settings['Cmd'])}\n", DOCKERFILE)
            exposed = re.search(r"^EXPOSE (.*)$", DOCKERFILE, re.M)[1].split()
            self.assertEqual([f"{port}/tcp" for port in exposed], sorted(settings["ExposedPorts"], key=lambda port: exposed.index(port[:-4])))

    def test_has_the_packages_of_the_dockerfile(self):
        listed = [line for line in (IMAGE / "packages").read_text().split("\n") if line and not line.startswith("#")]
        installs = re.findall(r"apt-get install -y --no-install-recommends \\\n(.*?)&&", DOCKERFILE, re.S)
        self.assertEqual(2, len(installs))
        self.assertEqual(listed, installs[1].replace("\\", " ").split())

    def test_is_of_the_debian_of_the_dockerfile(self):
        [suite] = re.findall(r"^suite=\$\{3:-(\w+)\}$", (IMAGE / "base.sh").read_text(), re.M)
        self.assertIn(f"'') suite={suite} name=ipp-gateway ", (IMAGE / "build.sh").read_text())
        [debian] = re.findall(r"^ARG DEBIAN=debian:(\d+)-slim$", DOCKERFILE, re.M)
        self.assertEqual({"trixie": "13"}[suite], debian)
        [version] = re.findall(r"^project\(ipp_gateway VERSION ([\d.]+)", (bed.ROOT / "CMakeLists.txt").read_text(), re.M)
        self.assertIn(f"\nARG VERSION={version} ", DOCKERFILE)
        # Both stages, with the security updates.
        self.assertEqual(["${DEBIAN}"] * 2, re.findall(r"^FROM (\S+)", DOCKERFILE, re.M))
        self.assertEqual(2, DOCKERFILE.count("apt-get update && apt-get upgrade -y && apt-get install -y"))


if __name__ == "__main__":
    unittest.main()
