#!/usr/bin/env python3
"""stand_in.py ARGUMENTS: what `kubectl ARGUMENTS` would do to a cluster, as far as deploy/README.md uses it, without one.

It is for a test that has kubectl's commands and no cluster. It knows the verbs and the flags of the page and no other;
objects are held against the API's schemas, must be there when they are named, and pods start only if every Secret and
every key that they mount is there and the gateway itself calls the result good (`--check-config`). Of the controllers it
does what the page counts on: revisions of a workload, the autoscaler's least, and that it leaves a workload at 0 alone.

The state is the JSON file $STAND_IN_CLUSTER; $STAND_IN_GATEWAY is the gateway's program.
"""
import argparse
import base64
import copy
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import yaml

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import schemas  # noqa: E402  pylint: disable=wrong-import-position

SHORT = {"deployment": "Deployment", "statefulset": "StatefulSet", "hpa": "HorizontalPodAutoscaler", "cronjob": "CronJob",
         "job": "Job", "node": "Node", "secret": "Secret"}
NAME = "ipp-gateway"  # of the workload, its container, its namespace


class Refused(Exception):
    """What kubectl or the cluster would refuse."""


def kind_and_name(words):
    """KIND/NAME or KIND NAME as the cluster's key."""
    kind, _, name = words[0].partition("/")
    if not name:
        if len(words) != 2:
            raise Refused(f"{' '.join(words)}: a name is missing")
        name = words[1]
    if kind not in SHORT:
        raise Refused(f"{kind}: the stand-in knows no such kind")
    return f"{SHORT[kind]}/{name}"


class Cluster:
    """Objects by KIND/NAME, the revisions of the workload's pods, and what each `rollout status` saw."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        state = json.loads(self.path.read_text()) if self.path.exists() else {}
        self.objects = state.get("objects", {})
        self.revisions = state.get("revisions", [])
        self.seen = state.get("seen", [])

    def save(self):
        self.path.write_text(json.dumps({"objects": self.objects, "revisions": self.revisions, "seen": self.seen}))

    def get(self, key):
        if key not in self.objects:
            raise Refused(f"{key} not found")
        return self.objects[key]

    def workload(self):
        [found] = [one for one in self.objects.values() if one["kind"] in ("Deployment", "StatefulSet")] or [None]
        if not found:
            raise Refused("no workload")
        return found

    def put(self, document):
        key = f"{document['kind']}/{document['metadata']['name']}"
        if wrong := schemas.complaints(document):
            raise Refused("\n".join(wrong))
        if document["kind"] in ("Deployment", "StatefulSet"):
            if "replicas" not in document["spec"] and key in self.objects:
                document["spec"]["replicas"] = self.objects[key]["spec"].get("replicas", 1)
            if not self.revisions or self.revisions[-1] != document["spec"]["template"]:
                self.revisions.append(copy.deepcopy(document["spec"]["template"]))
        self.objects[key] = document

    def replicas(self):
        """How many pods there are in the end."""
        replicas = self.workload()["spec"].get("replicas", 1)
        scaler = self.objects.get(f"HorizontalPodAutoscaler/{NAME}")
        return max(replicas, scaler["spec"]["minReplicas"]) if scaler and replicas else replicas

    def container(self):
        [found] = self.workload()["spec"]["template"]["spec"]["containers"]
        return found

    def pod(self, root):
        """A pod's files below `root`, and the gateway's arguments there."""
        template = self.workload()["spec"]["template"]["spec"]
        volumes = {volume["name"]: volume for volume in template.get("volumes", [])}
        places = []
        for mount in self.container()["volumeMounts"]:
            folder = pathlib.Path(f"{root}{mount['mountPath']}")
            folder.mkdir(parents=True, exist_ok=True)
            places.append(mount["mountPath"])
            volume = volumes.get(mount["name"], {})
            if "secret" in volume:
                for key, value in self.get(f"Secret/{volume['secret']['secretName']}")["data"].items():
                    (folder / key).write_bytes(base64.b64decode(value))
            if "configMap" in volume:
                for key, value in self.get(f"ConfigMap/{volume['configMap']['name']}")["data"].items():
                    (folder / key).write_text(value)

        def here(text):
            for place in places:
                text = text.replace(f"{place}/", f"{root}{place}/")
            return text

        config = pathlib.Path(f"{root}/etc/ipp-gateway/gateway.yaml")
        config.write_text(here(config.read_text()))
        # Without `args` the image's own count, which are these.
        return [here(word) for word in self.container().get("args", ["--config", "/etc/ipp-gateway/gateway.yaml"])]


def apply(cluster, options):
    text = sys.stdin.read() if options.filename == "-" else pathlib.Path(options.filename).read_text()
    documents = [one for one in yaml.safe_load_all(text) if one]
    if not documents:
        raise Refused("no objects passed to apply")
    for one in documents:
        if one["kind"] == "Namespace" and one["metadata"]["name"] != NAME:
            raise Refused(f"another namespace: {one['metadata']['name']}")
        cluster.put(one)
    for one in documents:
        if one["kind"] != "Namespace" and f"Namespace/{one['metadata'].get('namespace')}" not in cluster.objects:
            raise Refused(f"{one['kind']} {one['metadata']['name']}: its namespace is not there")


def create(cluster, options):
    data, kind = {}, "Opaque"
    if options.what == "job":
        source = kind_and_name([options.source])
        if not source.startswith("CronJob/"):
            raise Refused(f"{source} makes no jobs")
        cluster.put({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": options.name, "namespace": NAME},
                     "spec": copy.deepcopy(cluster.get(source)["spec"]["jobTemplate"]["spec"])})
        return
    if options.what == "generic":
        for word in options.from_file:
            key, _, path = word.rpartition("=")
            data[key or pathlib.Path(path).name] = path
    else:
        kind, data = "kubernetes.io/tls", {"tls.crt": options.cert, "tls.key": options.key}
    if f"Secret/{options.name}" in cluster.objects:
        raise Refused(f"Secret {options.name} already exists")
    cluster.put({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": options.name, "namespace": NAME}, "type": kind,
                 "data": {key: base64.b64encode(pathlib.Path(path).read_bytes()).decode() for key, path in data.items()}})


def delete(cluster, options):
    key = kind_and_name(options.resource)
    if not key.startswith("Node/"):
        del cluster.objects[cluster.get(key) and key]


def scale(cluster, options):
    cluster.get(kind_and_name(options.resource))["spec"]["replicas"] = options.replicas


def patch(cluster, options):
    document = copy.deepcopy(cluster.get(kind_and_name(options.resource)))
    for step in json.loads(options.patch):
        *way, last = [int(part) if part.isdigit() else part for part in step["path"].split("/")[1:]]
        at = document
        for part in way:
            at = at[part]
        if step["op"] == "remove":
            if last not in at:
                raise Refused(f"{step['path']} is not there")
            del at[last]
        else:
            at[last] = step["value"]
    cluster.put(document)


def status(cluster, options):
    key = kind_and_name(options.resource)
    cluster.get(key)
    if cluster.replicas():
        with tempfile.TemporaryDirectory() as root:
            flags = [word for word in cluster.pod(root) if word != "--restored"]  # one at a time
            done = subprocess.run([os.environ["STAND_IN_GATEWAY"], *flags, "--check-config"],
                                  capture_output=True, text=True, timeout=60, check=False)
        if done.returncode:
            raise Refused(f"the pods do not start: {done.stderr}")
    cluster.seen.append({"replicas": cluster.replicas(), "container": cluster.container()})
    print(f"{key} successfully rolled out")


def undo(cluster, options):
    document = cluster.get(kind_and_name(options.resource))
    if len(cluster.revisions) < 2:
        raise Refused("no rollout history found")
    document["spec"]["template"] = copy.deepcopy(cluster.revisions[-2])
    cluster.revisions.append(cluster.revisions[-2])


def get(cluster, _):
    for number in range(cluster.replicas()):
        print(f"{NAME}-{number}  1/1  Running")


def logs(cluster, options):
    cluster.get(kind_and_name(options.resource))


def into_a_pod(cluster, options):
    """debug and exec. The image has two programs and no shell; the namespace enforces the restricted profile."""
    if options.pod not in [f"{NAME}-{number}" for number in range(cluster.replicas())]:
        raise Refused(f"pods \"{options.pod}\" not found")
    if options.verb == "exec":
        if options.command[:1] not in (["ipp-gateway"], ["ippctl"]):
            raise Refused(f"{options.command}: no such program in the image")
        return
    level = cluster.get(f"Namespace/{NAME}")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
    if options.profile != level:
        raise Refused(f"violates PodSecurity \"{level}\"")
    if options.target != cluster.container()["name"]:
        raise Refused(f"there is no container {options.target}")


def arguments():
    """kubectl's verbs and flags, those of the page."""
    def command(of, name, act, *words, **more):
        made = of.add_parser(name, allow_abbrev=False, exit_on_error=False)
        made.set_defaults(act=act, verb=name, **more)
        for word in words:
            made.add_argument(word, nargs="+" if word == "resource" else None)
        return made

    parser = argparse.ArgumentParser(prog="kubectl", allow_abbrev=False, exit_on_error=False)
    parser.add_argument("-n", "--namespace")
    verbs = parser.add_subparsers(required=True)
    command(verbs, "apply", apply).add_argument("-f", "--filename", required=True)
    making = verbs.add_parser("create").add_subparsers(required=True)
    secret = making.add_parser("secret").add_subparsers(required=True)
    command(secret, "generic", create, "name", what="generic").add_argument("--from-file", action="append", required=True)
    tls = command(secret, "tls", create, "name", what="tls")
    tls.add_argument("--cert", required=True)
    tls.add_argument("--key", required=True)
    command(making, "job", create, "name", what="job").add_argument("--from", dest="source", required=True)
    command(verbs, "delete", delete, "resource")
    command(verbs, "scale", scale, "resource").add_argument("--replicas", type=int, required=True)
    changing = command(verbs, "patch", patch, "resource")
    changing.add_argument("--type", choices=["json"], required=True)
    changing.add_argument("--patch", "-p", required=True)
    rollout = verbs.add_parser("rollout").add_subparsers(required=True)
    command(rollout, "status", status, "resource")
    command(rollout, "undo", undo, "resource")
    command(verbs, "get", get).add_argument("what", choices=["pods"])
    command(verbs, "logs", logs, "resource")
    command(verbs, "exec", into_a_pod, "pod")
    debug = command(verbs, "debug", into_a_pod, "pod")
    debug.add_argument("-i", action="store_true")
    debug.add_argument("-t", action="store_true")
    debug.add_argument("--profile", default="legacy")
    for flag in ("--image", "--target"):
        debug.add_argument(flag, required=True)
    return parser


def main(words):
    cluster = Cluster(os.environ["STAND_IN_CLUSTER"])
    end = words.index("--") if "--" in words else len(words)
    try:
        options = arguments().parse_args(words[:end])
        options.command = words[end + 1:]
        # What a manifest does not say is in the namespace `default`.
        cluster_wide = options.verb == "apply" or options.verb == "delete" and options.resource[0].startswith("node")
        if not cluster_wide and options.namespace != NAME:
            raise Refused(f"{words}: in the namespace {options.namespace or 'default'}")
        options.act(cluster, options)
    except (Refused, argparse.ArgumentError, OSError) as refused:
        print(f"kubectl {' '.join(words)}: {refused}", file=sys.stderr)
        return 1
    cluster.save()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
