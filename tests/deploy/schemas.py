"""Documents against the schemas of the Kubernetes API and of CRDs, strictly: a field that they do not know is an error.

A CRD's rules in CEL (x-kubernetes-validations) are not evaluated; rules.py has those that matter here.
"""
import functools
import json
import warnings

import jsonschema
import yaml

import bed

# The oldest version with preStop.sleep switched on, and the newest that is at hand.
VERSIONS = ("1.30", "1.37")
HOST = "https://kubernetes.io"  # of the schemas' $id; nothing is fetched


def _folder(version):
    return bed.tool(f"schemas/kubernetes_validate/kubernetes-json-schema/v{version}.0-local-strict")


@functools.lru_cache(None)
def _validator(version, api_version, kind):
    group, _, bare = api_version.rpartition("/")
    stem = "-".join(filter(None, [kind.lower(), group.split(".")[0], bare]))
    path = _folder(version) / f"{stem}.json"
    if not path.exists():
        return None
    schema = json.loads(path.read_text())
    return jsonschema.Draft202012Validator(schema, resolver=_resolver(version, schema))


@functools.lru_cache(None)
def _definitions(version):
    return json.loads((_folder(version) / "_definitions.json").read_text())


def _resolver(version, schema):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return jsonschema.RefResolver(
            schema["$id"], schema, store={f"{HOST}/api/_definitions.json": _definitions(version)},
            handlers={"https": _refuse})


def _refuse(uri):
    raise AssertionError(f"a schema refers to {uri}, which is not at hand")


def _nulls(value, where):
    """`key:` with nothing behind it is taken by the schemas, and means that somebody forgot something."""
    if value is None:
        yield f"{where}: is empty"
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _nulls(inner, f"{where}.{key}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _nulls(inner, f"{where}[{index}]")


def _operator_complaints(document):
    done = bed.run(bed.tool("bin/monitoring_types"), input=json.dumps(document))
    return [done.stderr.strip()] if done.returncode else []


def _strict(schema):
    """A CRD's schema that refuses what the API server would prune without a word."""
    strict = dict(schema)
    if "properties" in schema:
        strict["properties"] = {name: _strict(inner) for name, inner in schema["properties"].items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            strict.setdefault("additionalProperties", False)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            strict[key] = _strict(schema[key])
    return strict


@functools.lru_cache(None)
def _crds(folder):
    """By apiVersion and kind: the validator of each version that is served."""
    found = {}
    for path in sorted(folder.glob("*.yaml")):
        for crd in yaml.load_all(path.read_text(), Loader=yaml.CSafeLoader):
            if not crd or crd["kind"] != "CustomResourceDefinition":
                continue
            for version in crd["spec"]["versions"]:
                if not version["served"]:
                    continue
                whole = version["schema"]["openAPIV3Schema"]
                # The status is the controller's. Metadata are what they are for every kind.
                properties = {key: inner for key, inner in whole["properties"].items() if key != "status"}
                schema = _strict({**whole, "properties": properties})
                schema["$id"] = f"{HOST}/crd"
                schema["properties"]["metadata"] = {
                    "$ref": f"{HOST}/api/_definitions.json#/$defs/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}
                found[f"{crd['spec']['group']}/{version['name']}", crd["spec"]["names"]["kind"]] = (
                    jsonschema.Draft202012Validator(schema, resolver=_resolver(VERSIONS[-1], schema)))
    return found


def _validators(document):
    """What knows the document's kind (None where nothing does), each with a name for people."""
    key = document["apiVersion"], document["kind"]
    group = key[0].partition("/")[0]
    crds = bed.tool("crds") / group
    if crds.is_dir():
        for folder in sorted(crds.iterdir()):
            yield f"{group} {folder.name}", _crds(folder).get(key)
    else:
        for version in VERSIONS:
            yield f"Kubernetes {version}", _validator(version, *key)


def complaints(document):
    """What is wrong with a document, a line each."""
    found = list(_nulls(document, ""))
    if document["apiVersion"].startswith("monitoring.coreos.com/"):
        found += _operator_complaints(document)
    else:
        for name, validator in _validators(document):
            if validator is None:
                found.append(f"{document['apiVersion']} {document['kind']} is no kind of {name}")
                continue
            for error in validator.iter_errors(document):
                where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)
                found.append(f"{where or '.'}: {error.message} ({name})")
    return [f"{bed.name_of(document)}: {line}" for line in found]
