"""Where the tools are, and the overlays as the cluster would get them."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))  # ipp_kit
DEPLOY = ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
OVERLAYS = ("single", "replicated")
TOOLS = pathlib.Path(os.environ.get("DEPLOY_TOOLS", ROOT / "build" / "tools"))
BUILD = pathlib.Path(os.environ.get("GATEWAY_BUILD", ROOT / "build" / "dev"))


def tool(name):
    """The path of a tool; a missing one fails the test that needs it."""
    path = TOOLS / name
    assert path.exists(), f"{path} is missing: `./dev tools` puts it there"
    return path


def run(*command, **options):
    return subprocess.run([str(part) for part in command], text=True, capture_output=True, timeout=120, **options)


def render(folder):
    """The documents that kustomize makes of a folder; AssertionError with its words when it cannot."""
    done = run(tool("bin/kustomize"), "build", folder)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def overlay(name, edit=""):
    """An overlay; with `edit`, as it is after these commands of a shell in its folder."""
    if not edit:
        return render(KUBERNETES / "overlays" / name)
    with tempfile.TemporaryDirectory() as root:
        shutil.copytree(KUBERNETES, f"{root}/kubernetes")
        folder = pathlib.Path(root, "kubernetes/overlays", name)
        path = f"{tool('bin')}:{os.environ['PATH']}"
        done = run("bash", "-euc", edit, cwd=folder, env={**os.environ, "PATH": path})
        assert done.returncode == 0, done.stderr
        return render(folder)


def page(heading):
    """The first commands below a heading of deploy/README.md."""
    text = (DEPLOY / "README.md").read_text()
    found = re.search(rf"^#+ {re.escape(heading)}\n.*?\n\n((?:    [^\n]*\n)+)", text, re.S | re.M)
    assert found, heading
    return found[1]


def of_kind(documents, *kinds):
    return [document for document in documents if document["kind"] in kinds]


def workload(documents):
    [found] = of_kind(documents, "Deployment", "StatefulSet")
    return found


def pod(documents):
    return workload(documents)["spec"]["template"]


def pods(documents):
    """Every pod template, with the name of what makes pods of it."""
    for one in of_kind(documents, "Deployment", "StatefulSet"):
        yield name_of(one), one["spec"]["template"]
    for one in of_kind(documents, "CronJob"):
        yield name_of(one), one["spec"]["jobTemplate"]["spec"]["template"]


def containers(template):
    return template["spec"]["containers"] + template["spec"].get("initContainers", [])


def gateway_yaml(documents):
    """The text of the gateway's configuration."""
    [config] = [one for one in of_kind(documents, "ConfigMap") if "gateway.yaml" in one["data"]]
    return config["data"]["gateway.yaml"]


def name_of(document):
    return f"{document['kind']} {document['metadata']['name']}"


def within(selector, labels):
    return all(labels.get(key) == value for key, value in selector.items())


def seconds(duration):
    units = {"h": 3600, "m": 60, "s": 1, "ms": 0.001}
    return sum(float(number) * units[unit] for number, unit in re.findall(r"([0-9.]+)(ms|h|m|s)", duration))
