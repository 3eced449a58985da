"""The rules for components/backup and restore. Each gives its complaints, a line each."""
import yaml

import bed


def _claims(documents, template):
    """The claim that each volume of a pod stands for, by the volume's name; those of a StatefulSet's templates too."""
    workload = bed.workload(documents)
    claims = {volume["name"]: volume["persistentVolumeClaim"]["claimName"]
              for volume in template["spec"]["volumes"] if "persistentVolumeClaim" in volume}
    if template is bed.pod(documents):
        for claim in workload["spec"].get("volumeClaimTemplates", []):
            claims[claim["metadata"]["name"]] = f"{claim['metadata']['name']}-{workload['metadata']['name']}-0"
    return claims


def _place(documents, template, container, path):
    """The claim that a path is on in a container, the path there, and whether it may be written."""
    claims = _claims(documents, template)
    for mount in container["volumeMounts"]:
        if mount["name"] in claims and path.startswith(mount["mountPath"] + "/"):
            return claims[mount["name"]], path[len(mount["mountPath"]):], not mount.get("readOnly", False)
    return None, path, False


def backups_reach_the_store(documents):
    gateway = bed.pod(documents)
    for job in bed.of_kind(documents, "CronJob"):
        name = bed.name_of(job)
        template = job["spec"]["jobTemplate"]["spec"]["template"]
        store = yaml.safe_load(bed.gateway_yaml(documents))["store"]
        if "sqlite" not in store:
            yield f"{name}: --backup copies SQLite; for PostgreSQL there are pg_dump and pg_basebackup"
            continue
        if job["spec"].get("concurrencyPolicy") != "Forbid":
            yield f"{name}: a slow backup would meet the next one"
        if "activeDeadlineSeconds" not in job["spec"]["jobTemplate"]["spec"]:
            yield f"{name}: a backup that hangs would keep the volume at its node"
        # A ReadWriteOnce volume, and SQLite's shared memory, are of one node.
        terms = (template["spec"].get("affinity", {}).get("podAffinity", {})
                 .get("requiredDuringSchedulingIgnoredDuringExecution", []))
        if not any(term["topologyKey"] == "kubernetes.io/hostname"
                   and bed.within(term["labelSelector"]["matchLabels"], gateway["metadata"]["labels"]) for term in terms):
            yield f"{name} need not run on the gateway's node"
        for key in ("runAsUser", "runAsGroup", "fsGroup"):
            if template["spec"]["securityContext"].get(key) != gateway["spec"]["securityContext"][key]:
                yield f"{name}: another {key} than the gateway's"
        found = [one for one in template["spec"].get("initContainers", []) if "--backup" in one.get("args", [])]
        if len(found) != 1:
            yield f"{name}: no --backup before what prunes"
            continue
        args, path = found[0]["args"], store["sqlite"]["path"]
        place = _place(documents, template, found[0], path)
        if place[:2] != _place(documents, gateway, gateway["spec"]["containers"][0], path)[:2] or not place[0]:
            yield f"{name} does not find the store"
        elif not place[2]:
            yield f"{name}: a reader of the write-ahead log must be able to write beside it"
        target = args[args.index("--backup") + 1]
        if _place(documents, template, found[0], target)[0] in (None, place[0]):
            yield f"{name}: {target} is on no volume of its own"
        if "$(POD_NAME)" not in target or "POD_NAME" not in [one["name"] for one in found[0].get("env", [])]:
            yield f"{name}: {target} is the same each time, and is not overwritten"
        if args[:2] != gateway["spec"]["containers"][0]["args"][:2]:
            yield f"{name}: another configuration than the gateway's"


def restores_are_said(documents):
    """A gateway on a restored store that does not know it would send creates twice."""
    for container in bed.pod(documents)["spec"].get("initContainers", []):
        if container["name"] == "restore" and "--restored" not in bed.pod(documents)["spec"]["containers"][0]["args"]:
            yield "a backup is restored and the gateway starts without --restored"


ALL = (backups_reach_the_store, restores_are_said)
