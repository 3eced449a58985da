"""What no schema knows: that the documents fit each other, the gateway, and the restricted profile.

Each rule takes the documents of an overlay and gives its complaints, a line each.
"""
import base64
import re

import yaml

import backups
import bed
import routes

WEB_PORTS = 2  # webhooks and admin, drained one after the other


def selectors_match(documents):
    labels = bed.pod(documents)["metadata"]["labels"]
    spec = bed.pod(documents)["spec"]
    chosen = [(bed.name_of(bed.workload(documents)), bed.workload(documents)["spec"]["selector"]["matchLabels"])]
    for service in bed.of_kind(documents, "Service"):
        chosen.append((bed.name_of(service), service["spec"]["selector"]))
    others = [(name, one["metadata"]["labels"]) for name, one in bed.pods(documents) if one is not bed.pod(documents)]
    for policy in bed.of_kind(documents, "NetworkPolicy"):
        selector = policy["spec"]["podSelector"].get("matchLabels", {})
        if not any(selector and bed.within(selector, one) for _, one in others):
            chosen.append((bed.name_of(policy), selector))
    for budget in bed.of_kind(documents, "PodDisruptionBudget"):
        chosen.append((bed.name_of(budget), budget["spec"]["selector"]["matchLabels"]))
    for spread in spec.get("topologySpreadConstraints", []):
        chosen.append((f"the spread over {spread['topologyKey']}", spread["labelSelector"]["matchLabels"]))
    for name, selector in chosen:
        if not selector or not bed.within(selector, labels):
            yield f"{name} selects {selector}, the pods are {labels}"
        for other, of_other in others:
            if bed.within(selector, of_other):
                yield f"{name} selects the pods of {other} too"
    for monitor in bed.of_kind(documents, "ServiceMonitor"):
        wanted = monitor["spec"]["selector"]["matchLabels"]
        found = [one for one in bed.of_kind(documents, "Service")
                 if bed.within(wanted, one["metadata"].get("labels", {}))]
        if len(found) != 1:
            yield f"{bed.name_of(monitor)} finds {len(found)} Services, not one"
            continue
        names = {port["name"] for port in found[0]["spec"]["ports"]}
        for endpoint in monitor["spec"]["endpoints"]:
            if endpoint["port"] not in names:
                yield f"{bed.name_of(monitor)}: port {endpoint['port']} is not one of {bed.name_of(found[0])}"
        if found[0]["metadata"]["labels"].get(monitor["spec"].get("jobLabel")) != "ipp-gateway":
            yield f"{bed.name_of(monitor)}: the job would not be called ipp-gateway, as the alarms have it"


def ports_exist(documents):
    ports = {port["name"]: port["containerPort"]
             for container in bed.pod(documents)["spec"]["containers"] for port in container["ports"]}
    known = set(ports) | set(ports.values())
    for container in bed.pod(documents)["spec"]["containers"]:
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            if probe not in container:
                yield f"there is no {probe}"
            elif container[probe]["httpGet"]["port"] != "admin":
                yield f"the {probe} does not ask the admin port"
    services = {}
    for service in bed.of_kind(documents, "Service"):
        services[service["metadata"]["name"]] = {port["name"] for port in service["spec"]["ports"]}
        for port in service["spec"]["ports"]:
            if port["targetPort"] not in known:
                yield f"{bed.name_of(service)}: no container has the port {port['targetPort']}"
    for policy in bed.of_kind(documents, "NetworkPolicy"):
        for rule in policy["spec"].get("ingress", []):
            for port in rule["ports"]:
                if port["port"] not in known:
                    yield f"{bed.name_of(policy)}: no container has the port {port['port']}"
    config = yaml.safe_load(bed.gateway_yaml(documents))
    for ingress in bed.of_kind(documents, "Ingress"):
        for rule in ingress["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                service = path["backend"]["service"]
                if service["port"].get("name") not in services.get(service["name"], ()):
                    yield f"{bed.name_of(ingress)}: there is no {service['name']} with that port"
                if service["port"].get("name") != "webhooks":
                    yield f"{bed.name_of(ingress)} lets the world at {service['port']}"
                if path["path"] != config.get("webhooks", {}).get("path", "/webhooks/kustom"):
                    yield f"{bed.name_of(ingress)}: the gateway does not take webhooks at {path['path']}"
    listens = {"grpc": config["listen"], "webhooks": config["webhooks"]["listen"], "admin": config["admin"]["listen"]}
    for name, listen in listens.items():
        if listen != f"0.0.0.0:{ports.get(name)}":
            yield f"the port {name} is {ports.get(name)}, the gateway listens at {listen}"


def _web_drain():
    """How long the webhook and the admin port may each take, from the source: it is no setting."""
    [seconds] = re.findall(r"kWebDrain = absl::Seconds\((\d+)\)", (bed.ROOT / "server/app.cc").read_text())
    return int(seconds)


def drain_fits(documents):
    spec = bed.pod(documents)["spec"]
    config = yaml.safe_load(bed.gateway_yaml(documents))
    drain = bed.seconds(config.get("drain_timeout", "20s"))
    for container in spec["containers"]:
        pause = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds")
        if not pause:
            yield "there is no preStop pause"
            continue
        worst = pause + 2 * drain + WEB_PORTS * _web_drain()
        if worst >= spec.get("terminationGracePeriodSeconds", 30):
            yield f"a drain takes up to {worst:g} s, the pod has {spec.get('terminationGracePeriodSeconds', 30)} s"


VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}


def _restricted_pod(template):
    spec = template["spec"]
    for host in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(host):
            yield f"{host} is on"
    for volume in spec["volumes"]:
        kinds = set(volume) - {"name"}
        if not kinds <= VOLUMES:
            yield f"the volume {volume['name']} is a {', '.join(kinds)}"
    of_pod = spec.get("securityContext", {})
    for container in bed.containers(template):
        context = {**of_pod, **container.get("securityContext", {})}
        if context.get("runAsNonRoot") is not True or context.get("runAsUser", 1) == 0:
            yield "may run as root"
        if context.get("allowPrivilegeEscalation") is not False:
            yield "may gain privileges"
        if context.get("privileged") or context.get("procMount", "Default") != "Default":
            yield "is privileged"
        if context.get("capabilities", {}).get("drop") != ["ALL"] or context["capabilities"].get("add"):
            yield "keeps capabilities"
        if context.get("seccompProfile", {}).get("type") not in ("RuntimeDefault", "Localhost"):
            yield "has no seccomp profile"
        if any("hostPort" in port for port in container.get("ports", [])):
            yield "takes a port of the node"
        if context.get("readOnlyRootFilesystem") is not True:
            yield "may write to its root file system"
        if not {"cpu", "memory"} <= set(container.get("resources", {}).get("requests", {})):
            yield "requests no CPU or memory"
        if "memory" not in container.get("resources", {}).get("limits", {}):
            yield "has no limit of memory"
    if spec.get("automountServiceAccountToken") is not False:
        yield "gets a token of the Kubernetes API"
    if spec.get("enableServiceLinks") is not False:
        yield "gets variables for each Service, IPP_GATEWAY_… among them"


def restricted(documents):
    """The restricted profile of the Pod Security Standards, and what we want beyond it."""
    for name, template in bed.pods(documents):
        for complaint in _restricted_pod(template):
            yield f"{name}: {complaint}"
    [namespace] = bed.of_kind(documents, "Namespace")
    if namespace["metadata"]["labels"].get("pod-security.kubernetes.io/enforce") != "restricted":
        yield "the namespace does not enforce the profile"


# Secrets of the kinds that the gateway reads, and what a password looks like in a connection string.
SECRET = re.compile(r"whsec_\w|kco_\w|PRIVATE KEY|password\s*=|\b[0-9a-f]{64}\b|://[^/\s]*:[^/\s]*@", re.IGNORECASE)


def _texts(value):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield str(key)
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, str):
        yield value


def no_secret_in_plain_text(documents):
    for document in documents:
        if document["kind"] == "Secret":
            for key, value in document.get("data", {}).items():
                lines = base64.b64decode(value).decode().splitlines()
                if not lines or not all(line.startswith("# placeholder") for line in lines):
                    yield f"{bed.name_of(document)}: {key} is more than a placeholder"
            if document.get("stringData"):
                yield f"{bed.name_of(document)} has stringData"
            continue
        for text in _texts(document):
            if SECRET.search(text):
                yield f"{bed.name_of(document)} has what looks like a secret"
    for _, template in bed.pods(documents):
        for container in bed.containers(template):
            named = [one for one in container.get("env", []) if "fieldRef" not in one.get("valueFrom", {})]
            if named or container.get("envFrom"):
                yield "a variable of the environment is set: secrets and settings are files"


def references_exist(documents):
    names = {(one["kind"], one["metadata"]["name"]) for one in documents}
    for claim in bed.workload(documents)["spec"].get("volumeClaimTemplates", []):
        names.add(("PersistentVolumeClaim", f"{claim['metadata']['name']}-{bed.workload(documents)['metadata']['name']}-0"))
    for _, template in bed.pods(documents):
        wanted = [("ServiceAccount", template["spec"]["serviceAccountName"])]
        for volume in template["spec"]["volumes"]:
            wanted += [("Secret", volume["secret"]["secretName"])] if "secret" in volume else []
            wanted += [("ConfigMap", volume["configMap"]["name"])] if "configMap" in volume else []
            if "persistentVolumeClaim" in volume:
                wanted.append(("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]))
        for kind, name in wanted:
            if (kind, name) not in names:
                yield f"there is no {kind} {name}"
    for scaler in bed.of_kind(documents, "HorizontalPodAutoscaler"):
        target = scaler["spec"]["scaleTargetRef"]
        if (target["kind"], target["name"]) not in names:
            yield f"{bed.name_of(scaler)} scales {target['name']}, which is not there"
        if "replicas" in bed.workload(documents)["spec"]:
            yield "replicas are set, and an autoscaler sets them too"
    namespaces = {one["metadata"]["name"] for one in bed.of_kind(documents, "Namespace")}
    for document in documents:
        if document["kind"] != "Namespace" and document["metadata"].get("namespace") not in namespaces:
            yield f"{bed.name_of(document)} is in no namespace of ours"


def _mounts(documents):
    spec = bed.pod(documents)["spec"]
    writable = {claim["metadata"]["name"] for claim in bed.workload(documents)["spec"].get("volumeClaimTemplates", [])}
    writable |= {volume["name"] for volume in spec["volumes"] if "emptyDir" in volume or "persistentVolumeClaim" in volume}
    for mount in spec["containers"][0]["volumeMounts"]:
        yield mount, mount["name"] in writable


def store_fits(documents):
    """One writer for SQLite, on a volume that outlives the pod; no volume and several replicas for PostgreSQL."""
    store = yaml.safe_load(bed.gateway_yaml(documents))["store"]
    workload = bed.workload(documents)
    for mount, _ in _mounts(documents):
        if "subPath" in mount:
            yield f"{mount['mountPath']} is a subPath: it would not be updated"
    if "sqlite" in store:
        if workload["kind"] != "StatefulSet" or workload["spec"].get("replicas") != 1:
            yield "SQLite has one writer: a StatefulSet with one replica"
        claims = {claim["metadata"]["name"] for claim in workload["spec"].get("volumeClaimTemplates", [])}
        if not any(mount["name"] in claims and store["sqlite"]["path"].startswith(mount["mountPath"] + "/")
                   for mount, _ in _mounts(documents)):
            yield f"{store['sqlite']['path']} is on no volume"
    else:
        if workload["kind"] != "Deployment" or workload["spec"]["strategy"]["type"] != "RollingUpdate":
            yield "several replicas: a Deployment with rolling updates"
        if any(writable for _, writable in _mounts(documents)):
            yield "with PostgreSQL nothing needs to be written to a disk"


def reflection_is_off(documents):
    """It answers everybody who connects, without a token."""
    if yaml.safe_load(bed.gateway_yaml(documents)).get("reflection", True) is not False:
        yield "reflection shows what can be called to everybody who connects"


def image_is_this_version(documents):
    [version] = re.findall(r"^project\(ipp_gateway VERSION (\S+)", (bed.ROOT / "CMakeLists.txt").read_text(), re.M)
    for name, template in bed.pods(documents):
        for container in bed.containers(template):
            image, _, tag = container["image"].rpartition(":")
            if image.endswith("ipp-gateway") and tag != version:
                yield f"{name}: the image is {container['image']}, the version {version}"
            if not image or tag == "latest":
                yield f"{name}: the image {container['image']} has no version"


ALL = (selectors_match, ports_exist, drain_fits, restricted, no_secret_in_plain_text, references_exist, store_fits,
       reflection_is_off, image_is_this_version) + routes.ALL + backups.ALL
