"""A bill of materials against CycloneDX's own schema, and against the root file system that it is of."""
import json
import pathlib
import warnings

import jsonschema

import bed

HOST = "http://cyclonedx.org/schema"  # of the schemas' $id; nothing is fetched


def _refuse(uri):
    raise AssertionError(f"a schema refers to {uri}, which is not at hand")


def _additional_items(_, allowed, value, schema):
    """`additionalItems`, as far as CycloneDX uses it; jsonschema's own (4.10) fails on what it wants to complain of."""
    if allowed is False and isinstance(schema.get("items"), list) and isinstance(value, list) and len(value) > len(schema["items"]):
        yield jsonschema.ValidationError("has too many items")


def complaints(bom):
    """What CycloneDX 1.6 says is wrong, a line each. Nothing is fetched: the schemas that it refers to are beside it."""
    folder = bed.tool("schemas/cyclonedx/schema/_res")
    schema, *others = ({**json.loads((folder / f"{name}.SNAPSHOT.schema.json").read_text()),
                        "$id": f"{HOST}/{name}.SNAPSHOT.schema.json"}
                       for name in ("bom-1.6", "spdx", "jsf-0.82"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        resolver = jsonschema.RefResolver(schema["$id"], schema, store={one["$id"]: one for one in others},
                                          handlers={"http": _refuse, "https": _refuse})
        strict = jsonschema.validators.extend(jsonschema.Draft7Validator, {"additionalItems": _additional_items})
        validator = strict(schema, resolver=resolver, format_checker=jsonschema.FormatChecker())
        found = [f"{'/'.join(map(str, error.absolute_path))}: {error.message[:200]}" for error in validator.iter_errors(bom)]
    names = [one["bom-ref"] for one in everything(bom)]
    found += [f"two parts are called {name}" for name in sorted(set(names)) if names.count(name) > 1]
    known = {*names, bom["metadata"]["component"]["bom-ref"]}
    for dependency in bom["dependencies"]:
        found += [f"{ref} is no part" for ref in (dependency["ref"], *dependency["dependsOn"]) if ref not in known]
    return found


def everything(bom):
    """All components, those within others too."""
    todo = list(bom["components"])
    while todo:
        one = todo.pop()
        todo += one.get("components", [])
        yield one


def packages(bom):
    """Name, version and architecture of each package of Debian in it, sorted; one within a program is none."""
    return sorted((one["name"], one["version"], prop["value"]) for one in bom["components"] if one["type"] == "library"
                  for prop in one["properties"] if prop["name"] == "debian:architecture")


def installed(root):
    """The same of dpkg's files in a root file system."""
    found = []
    for path in sorted(pathlib.Path(root, "var/lib/dpkg/status.d").iterdir()):
        said = dict(line.split(": ", 1) for line in path.read_text().splitlines() if ": " in line)
        found.append((said["Package"], said["Version"], said["Architecture"]))
    return sorted(found)
