"""Where the tools are, and the overlays as the cluster would get them."""
import os
import pathlib
import subprocess
import sys

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


def overlay(name):
    return render(KUBERNETES / "overlays" / name)


def of_kind(documents, *kinds):
    return [document for document in documents if document["kind"] in kinds]


def workload(documents):
    [found] = of_kind(documents, "Deployment", "StatefulSet")
    return found


def pod(documents):
    return workload(documents)["spec"]["template"]


def gateway_yaml(documents):
    """The text of the gateway's configuration."""
    [config] = [one for one in of_kind(documents, "ConfigMap") if "gateway.yaml" in one["data"]]
    return config["data"]["gateway.yaml"]


def name_of(document):
    return f"{document['kind']} {document['metadata']['name']}"
