"""The rules for components/gateway-api: routes, the TLS behind them, and the ways in. Each gives its complaints, a line each."""
import yaml

import bed

# What may stand behind a route of a kind, by the name of the Service's port.
BEHIND = {"HTTPRoute": "webhooks", "GRPCRoute": "grpc"}
JITTER = 1.1  # of events.max_stream_age, as server/events/event_stream.cc has it


def _backends(route):
    for rule in route["spec"].get("rules", []):
        yield from rule.get("backendRefs", [])


def _service_port(documents, backend):
    """The Service and its port that a backendRef names; None for what is not there."""
    for service in bed.of_kind(documents, "Service"):
        if service["metadata"]["name"] == backend["name"] and backend.get("kind", "Service") == "Service":
            for port in service["spec"]["ports"]:
                if port["port"] == backend.get("port"):
                    return service, port
    return None


def routes_lead_to_their_ports(documents):
    config = yaml.safe_load(bed.gateway_yaml(documents))
    for route in bed.of_kind(documents, *BEHIND):
        name = bed.name_of(route)
        if not route["spec"].get("hostnames"):
            yield f"{name} takes every host of its Gateway"
        if not route["spec"].get("parentRefs"):
            yield f"{name} is on no Gateway"
        for parent in route["spec"].get("parentRefs", []):
            if "sectionName" not in parent:
                yield f"{name} is on every listener of {parent['name']}, also on one without TLS"
        if not list(_backends(route)):
            yield f"{name} leads nowhere"
        for backend in _backends(route):
            found = _service_port(documents, backend)
            if found is None or "namespace" in backend:
                yield f"{name}: there is no Service {backend['name']} with the port {backend.get('port')}"
            elif found[1]["name"] != BEHIND[route["kind"]]:
                yield f"{name} lets callers at the port {found[1]['name']}"
    for route in bed.of_kind(documents, "HTTPRoute"):
        for rule in route["spec"].get("rules", []):
            for match in rule.get("matches", [{}]):
                path = match.get("path", {})
                if path.get("type") != "Exact" or path.get("value") != config["webhooks"].get("path", "/webhooks/kustom"):
                    yield f"{bed.name_of(route)}: the gateway does not take webhooks at {path}"
                if match.get("method") != "POST":
                    yield f"{bed.name_of(route)} takes more than POST"


def tls_goes_on_behind_the_gateway(documents):
    """The gRPC port speaks TLS: a Gateway without a policy for it would speak plain text, to no answer."""
    if "tls" not in yaml.safe_load(bed.gateway_yaml(documents)):
        return
    maps = {one["metadata"]["name"] for one in bed.of_kind(documents, "ConfigMap") if "ca.crt" in one["data"]}
    policies = {}
    for policy in bed.of_kind(documents, "BackendTLSPolicy"):
        for target in policy["spec"]["targetRefs"]:
            policies[target["name"], target.get("sectionName")] = policy
        for reference in policy["spec"]["validation"].get("caCertificateRefs", []):
            if reference["kind"] != "ConfigMap" or reference["name"] not in maps:
                yield f"{bed.name_of(policy)}: there is no ConfigMap {reference['name']} with ca.crt"
    for route in bed.of_kind(documents, "GRPCRoute"):
        for service, port in filter(None, (_service_port(documents, one) for one in _backends(route))):
            name = service["metadata"]["name"]
            policy = policies.pop((name, port["name"]), None)
            if policy is None:
                yield f"{bed.name_of(route)}: no BackendTLSPolicy for {name}, port {port['name']}"
                continue
            host = f"{name}.{service['metadata']['namespace']}.svc"
            if policy["spec"]["validation"]["hostname"] != host:
                yield f"{bed.name_of(policy)}: the certificate is for {host}"
    for name, section in policies:
        yield f"there is a BackendTLSPolicy for {name}, port {section}, and no route"


def _lets_in(documents, namespace, labels, port):
    for policy in bed.of_kind(documents, "NetworkPolicy"):
        for rule in policy["spec"].get("ingress", []):
            if not any(one["port"] == port for one in rule["ports"]):
                continue
            for peer in rule["from"]:
                chosen = peer["namespaceSelector"].get("matchLabels", {})
                pods = peer.get("podSelector", {}).get("matchLabels", {})
                if (bed.within(chosen, {"kubernetes.io/metadata.name": namespace}) and bed.within(pods, labels)):
                    return True
    return False


def who_brings_traffic_is_let_in(documents):
    """A Gateway's pods by the API's own label, an Ingress controller's by the namespace that its class is called for."""
    for route in bed.of_kind(documents, *BEHIND):
        for parent in route["spec"].get("parentRefs", []):
            labels = {"gateway.networking.k8s.io/gateway-name": parent["name"]}
            if not _lets_in(documents, parent["namespace"], labels, BEHIND[route["kind"]]):
                yield f"{bed.name_of(route)}: no NetworkPolicy lets the pods of the Gateway {parent['name']} in"
    for ingress in bed.of_kind(documents, "Ingress"):
        if not _lets_in(documents, f"ingress-{ingress['spec']['ingressClassName']}", {}, "webhooks"):
            yield f"{bed.name_of(ingress)}: no NetworkPolicy lets its controller in"


def streams_live(documents):
    config = yaml.safe_load(bed.gateway_yaml(documents))
    age = bed.seconds(config.get("events", {}).get("max_stream_age", "30m")) * JITTER
    routes = {route["metadata"]["name"] for route in bed.of_kind(documents, "GRPCRoute")}
    for policy in bed.of_kind(documents, "BackendTrafficPolicy"):
        for target in policy["spec"]["targetRefs"]:
            if target["kind"] != "GRPCRoute" or target["name"] not in routes:
                yield f"{bed.name_of(policy)}: there is no {target['kind']} {target['name']}"
        http = policy["spec"]["timeout"]["http"]
        for key, default in (("requestTimeout", "15s"), ("maxStreamDuration", "0s")):
            value = bed.seconds(http.get(key, default))
            if 0 < value < age:
                yield f"{bed.name_of(policy)}: {key} ends streams after {value:g} s"


ALL = (routes_lead_to_their_ports, tls_goes_on_behind_the_gateway, who_brings_traffic_is_let_in, streams_live)
