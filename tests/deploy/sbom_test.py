#!/usr/bin/env python3
"""deploy/image/sbom.py writes what CycloneDX knows, and all that is in the image. sbom_check.py holds the real one."""
import hashlib
import io
import json
import pathlib
import tarfile
import tempfile
import unittest

import bed
import sboms

RELEASE = 'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nNAME="Debian GNU/Linux"\nID=debian\nVERSION_ID="13"\n'
DEP5 = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: *\nCopyright: x\nLicense: "


def control(name, more=""):
    return f"Package: {name}\nVersion: 1:2.0+b1~x-3\nArchitecture: amd64\nMaintainer: Some One <x@example.com>\n{more}"


def bill(packages, *options, release=RELEASE):
    """The bill of an image of packages: {name: (control, copyright)}."""
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(f"{folder}/base.tar", "w") as base:
            def put(name, text):
                entry = tarfile.TarInfo(f"./{name}")
                entry.size = len(text.encode())
                base.addfile(entry, io.BytesIO(text.encode()))
            put("usr/lib/os-release", release)
            put("usr/share/doc/stray/copyright", DEP5 + "MIT\n")
            for name, (said, copyright_text) in packages.items():
                put(f"var/lib/dpkg/status.d/{name}", said)
                put(f"usr/share/doc/{name}/copyright", copyright_text)
        programs = pathlib.Path(folder, "programs")
        programs.mkdir()
        (programs / "ipp-gateway").write_bytes(b"a program")
        done = bed.run(bed.DEPLOY / "image/sbom.py", f"{folder}/base.tar", programs, "--digest", "sha256:" + 64 * "a",
                       "--version", "1.2.3", *options)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


def one(copyright_text, more=""):
    """The component of one package."""
    bom = bill({"libx": (control("libx", more), copyright_text)})
    assert not sboms.complaints(bom), sboms.complaints(bom)
    [found] = [part for part in bom["components"] if part["name"] == "libx"]
    return found


class Bill(unittest.TestCase):
    def test_has_the_packages_of_the_image_and_no_others(self):
        bom = bill({name: (control(name), "") for name in ("liba", "libb++1.0")}, "--compiled-in", "rapidjson-dev=1.1.0")
        self.assertEqual([], sboms.complaints(bom))
        self.assertEqual([(name, "1:2.0+b1~x-3", "amd64") for name in ("liba", "libb++1.0")], sboms.packages(bom))
        self.assertEqual(["debian", "ipp-gateway", "liba", "libb++1.0"], sorted(part["name"] for part in bom["components"]))

    def test_names_a_package_as_scanners_look_for_it(self):
        self.assertEqual("pkg:deb/debian/libx@1%3A2.0%2Bb1~x-3?arch=amd64&distro=debian-13", one("")["purl"])
        self.assertEqual("pkg:deb/debian/libx@1%3A2.0%2Bb1~x-3?arch=amd64&distro=debian-13&upstream=x",
                         one("", "Source: x\n")["purl"])
        self.assertEqual("pkg:deb/debian/libx@1%3A2.0%2Bb1~x-3?arch=amd64&distro=debian-13&upstream=x%401.9-1",
                         one("", "Source: x (1.9-1)\n")["purl"])

    def test_names_a_debian_without_a_number(self):
        bom = bill({"libx": (control("libx"), "")}, "--name", "ipp-gateway-experimental",
                   release='PRETTY_NAME="Debian GNU/Linux duke/sid"\nID=debian\nVERSION_CODENAME=duke\n')
        self.assertEqual([], sboms.complaints(bom))
        self.assertIn("pkg:deb/debian/libx@1%3A2.0%2Bb1~x-3?arch=amd64&distro=debian-duke", [one["bom-ref"] for one in bom["components"]])
        self.assertEqual(["duke"], [one["version"] for one in bom["components"] if one["type"] == "operating-system"])
        self.assertEqual("ipp-gateway-experimental", bom["metadata"]["component"]["name"])
        self.assertIn("pkg:oci/ipp-gateway-experimental@sha256", bom["metadata"]["component"]["purl"])

    def test_says_licences_as_far_as_they_are_known(self):
        for text, expected in (
                (DEP5 + "Expat\n", [{"id": "MIT"}]),
                (DEP5 + "GPL-2+\n", [{"id": "GPL-2.0-or-later"}]),
                (DEP5 + "LGPL-2.1\n", [{"id": "LGPL-2.1-only"}]),
                (DEP5 + "GPL-2+ with a twist\n", [{"name": "GPL-2+ with a twist"}]),
                (DEP5 + "Expat\n\nFiles: x\nLicense: MIT\n text\n\nFiles: y\nLicense: Zlib\n\nFiles: z\nLicense: own\n",
                 [{"id": "MIT"}, {"id": "Zlib"}, {"name": "own"}]),
                # It may say "or any later version".
                ("See /usr/share/common-licenses/GPL-3.\n", [{"name": "GPL-3"}]),
                ("All rights reserved.\n", None)):
            with self.subTest(text[-40:]):
                licences = one(text).get("licenses")
                self.assertEqual(expected, licences and [found["license"] for found in licences])

    def test_names_the_programs_and_what_is_compiled_into_them(self):
        bom = bill({}, "--compiled-in", "libboost1.83-dev=1.83.0-4.2", "rapidjson-dev=1.1.0")
        [program] = [part for part in bom["components"] if part["type"] == "application"]
        self.assertEqual(("ipp-gateway", "1.2.3"), (program["name"], program["version"]))
        self.assertEqual(hashlib.sha256(b"a program").hexdigest(), program["hashes"][0]["content"])
        self.assertEqual(["libboost1.83-dev", "rapidjson-dev"], [part["name"] for part in program["components"]])
        self.assertIn("sha256%3A" + 64 * "a", bom["metadata"]["component"]["purl"])

    def test_is_the_same_for_the_same(self):
        packages = {"liba": (control("liba"), DEP5 + "Expat\n")}
        self.assertEqual(bill(packages), bill(packages))
        self.assertNotEqual(bill(packages)["serialNumber"], bill({"liba": (control("liba"), "")})["serialNumber"])

    def test_check_finds_what_is_wrong(self):
        bom = bill({"liba": (control("liba"), "")})
        for break_it in (lambda bom: bom.update(bomFormat="SPDX"),
                         lambda bom: bom["components"][0].pop("name"),
                         lambda bom: bom["components"].append(bom["components"][-1]),
                         lambda bom: bom["dependencies"][0]["dependsOn"].append("nothing"),
                         lambda bom: bom["components"][-1].update(licenses=[{"license": {"id": "GPL-9.0-only"}}])):
            broken = json.loads(json.dumps(bom))
            break_it(broken)
            self.assertNotEqual([], sboms.complaints(broken))


if __name__ == "__main__":
    unittest.main()
