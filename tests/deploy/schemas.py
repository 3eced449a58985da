"""Documents against the schemas of the Kubernetes API, strictly: a field that they do not know is an error."""
import functools
import json
import warnings

import jsonschema

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


def complaints(document):
    """What is wrong with a document, a line each."""
    found = list(_nulls(document, ""))
    if document["apiVersion"].startswith("monitoring.coreos.com/"):
        found += _operator_complaints(document)
    else:
        for version in VERSIONS:
            validator = _validator(version, document["apiVersion"], document["kind"])
            if validator is None:
                found.append(f"{document['apiVersion']} {document['kind']} is no kind of Kubernetes {version}")
                continue
            for error in validator.iter_errors(document):
                where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)
                found.append(f"{where or '.'}: {error.message} (Kubernetes {version})")
    return [f"{bed.name_of(document)}: {line}" for line in found]
