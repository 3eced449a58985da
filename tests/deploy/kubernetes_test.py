#!/usr/bin/env python3
"""deploy/kubernetes, rendered as a cluster would get it: valid, whole, and what it says of the gateway is true."""
import base64
import copy
import pathlib
import re
import shutil
import tempfile
import unittest

import bed
import ipp_kit
import routes
import rules
import schemas

DOCUMENTS = {name: bed.overlay(name) for name in bed.OVERLAYS}
# Behind a Gateway, by what deploy/README.md says; and as its components may also be chosen.
GATEWAY_API = bed.page("Ingress or Gateway")
WEBHOOKS_ALONE = "sed -i 's|components/webhook-ingress|components/gateway-api/webhooks|' kustomization.yaml"
DOCUMENTS.update({f"{name}, gateway-api": bed.overlay(name, GATEWAY_API) for name in bed.OVERLAYS})
DOCUMENTS["replicated, gateway-api/webhooks"] = bed.overlay("replicated", WEBHOOKS_ALONE)

# What a person would put in place of each placeholder.
FILLED = {
    "api-key": "an-api-key",
    "dsn": "host=database dbname=ipp user=ipp sslmode=disable",
    "webhook-secrets": "whsec_" + base64.b64encode(b"a signing key of the test").decode(),
    "order-service.sha256": "0123456789abcdef" * 4,
}


def certificate():
    """tls.crt and tls.key: the gateway looks into them before it says that a configuration is good."""
    with tempfile.TemporaryDirectory() as folder:
        ipp_kit.self_signed(folder, "gateway")
        return {"tls.key": pathlib.Path(folder, "gateway.key").read_text(),
                "tls.crt": pathlib.Path(folder, "gateway.pem").read_text()}


CERTIFICATE = certificate()


def write_secrets(documents, root, filled):
    """The pod's Secrets as files below `root`, placeholders or what would take their place."""
    secrets = {one["metadata"]["name"]: one["data"] for one in bed.of_kind(documents, "Secret")}
    spec = bed.pod(documents)["spec"]
    volumes = {volume["name"]: volume["secret"]["secretName"] for volume in spec["volumes"] if "secret" in volume}
    for mount in spec["containers"][0]["volumeMounts"]:
        if mount["name"] not in volumes:
            continue
        folder = pathlib.Path(root + mount["mountPath"])
        folder.mkdir(parents=True)
        for key, value in secrets[volumes[mount["name"]]].items():
            text = FILLED.get(key, "filled in") if filled else base64.b64decode(value).decode()
            text = CERTIFICATE.get(key, text)
            (folder / key).write_text(text + "\n")


def check_config(documents, filled):
    with tempfile.TemporaryDirectory() as root:
        write_secrets(documents, root, filled)
        text = bed.gateway_yaml(documents)
        named = re.findall(r"_file: (\S+)", text)
        config = pathlib.Path(root, "gateway.yaml")
        config.write_text(text.replace("/run/secrets/", f"{root}/run/secrets/"))
        missing = [name for name in named if not pathlib.Path(root + name).exists()]
        return missing, bed.run(ipp_kit.binary(bed.BUILD, "ipp-gateway"), "--config", config, "--check-config")


class Overlays(unittest.TestCase):
    """Each test for each of them."""

    def test_fit_the_schemas_of_kubernetes(self):
        for name, documents in DOCUMENTS.items():
            self.assertGreater(len(documents), 10, name)
            self.assertEqual([], [line for one in documents for line in schemas.complaints(one)])

    def test_keep_every_rule(self):
        for name, documents in DOCUMENTS.items():
            for rule in rules.ALL:
                self.assertEqual([], list(rule(documents)), f"{name}: {rule.__name__}")

    def test_have_what_brings_their_webhooks(self):
        kinds = {name: [one["kind"] for one in bed.of_kind(documents, "Ingress", *routes.BEHIND, "BackendTrafficPolicy")]
                 for name, documents in DOCUMENTS.items()}
        behind = ["BackendTrafficPolicy", "GRPCRoute", "HTTPRoute"]
        self.assertEqual({"single": ["Ingress"], "replicated": ["Ingress"], "single, gateway-api": behind,
                          "replicated, gateway-api": behind, "replicated, gateway-api/webhooks": ["HTTPRoute"]}, kinds)

    def test_configure_the_gateway_with_files_that_are_mounted(self):
        for name, documents in DOCUMENTS.items():
            missing, done = check_config(documents, filled=True)
            self.assertEqual([], missing, name)
            self.assertEqual((0, "the configuration is good\n"), (done.returncode, done.stdout), done.stderr)

    def test_do_not_start_with_placeholders(self):
        for name, documents in DOCUMENTS.items():
            _, done = check_config(documents, filled=False)
            self.assertEqual(1, done.returncode, name)
            self.assertIn("api-key: empty", done.stderr)


class Teeth(unittest.TestCase):
    """Each check says no to what it is there for."""

    def single(self):
        return copy.deepcopy(DOCUMENTS["single"])

    def replicated(self):
        return copy.deepcopy(DOCUMENTS["replicated"])

    def refused_by_schema(self, document, words):
        found = schemas.complaints(document)
        self.assertTrue(any(words in line for line in found), found)

    def refused_by(self, rule, documents, words):
        found = list(rule(documents))
        self.assertTrue(any(words in line for line in found), found)

    def test_a_misspelt_field_in_a_copy_of_the_files_is_an_error(self):
        with tempfile.TemporaryDirectory() as root:
            shutil.copytree(bed.KUBERNETES, f"{root}/kubernetes")
            path = pathlib.Path(root, "kubernetes/components/pod/pod.yaml")
            text = path.read_text()
            self.assertIn("enableServiceLinks:", text)
            path.write_text(text.replace("enableServiceLinks:", "enableServicesLinks:"))
            documents = bed.render(f"{root}/kubernetes/overlays/single")
            self.refused_by_schema(bed.workload(documents), "'enableServicesLinks' was unexpected")

    def test_a_wrong_type_in_a_copy_of_the_files_is_an_error(self):
        with tempfile.TemporaryDirectory() as root:
            shutil.copytree(bed.KUBERNETES, f"{root}/kubernetes")
            path = pathlib.Path(root, "kubernetes/overlays/replicated/deployment.yaml")
            text = path.read_text()
            self.assertIn("minReadySeconds: 10\n", text)
            path.write_text(text.replace("minReadySeconds: 10\n", "minReadySeconds: ten\n"))
            documents = bed.render(f"{root}/kubernetes/overlays/replicated")
            self.refused_by_schema(bed.workload(documents), "'ten' is not of type 'integer'")

    def test_every_document_with_an_unknown_field_is_an_error(self):
        for document in self.replicated():
            with self.subTest(kind=document["kind"]):
                document.setdefault("spec" if "spec" in document else "metadata", {})["nonsense"] = True
                self.assertNotEqual([], schemas.complaints(document))

    def test_a_missing_field_and_an_empty_one_are_errors(self):
        document = bed.workload(self.single())
        del document["spec"]["selector"]
        self.refused_by_schema(document, "'selector' is a required property")
        document = bed.workload(self.single())
        document["spec"]["replicas"] = None
        self.refused_by_schema(document, ".spec.replicas: is empty")

    def test_a_kind_that_nobody_knows_is_an_error(self):
        document = self.single()[0]
        document["kind"] = "Namespaces"
        self.refused_by_schema(document, "no kind of Kubernetes")

    def test_a_monitor_with_a_wrong_type_is_an_error(self):
        [monitor] = bed.of_kind(self.single(), "ServiceMonitor")
        monitor["spec"]["endpoints"][0]["port"] = 9090
        self.assertNotEqual([], schemas.complaints(monitor))

    def test_a_selector_that_finds_nothing_is_refused(self):
        documents = self.replicated()
        bed.of_kind(documents, "PodDisruptionBudget")[0]["spec"]["selector"]["matchLabels"] = {"app": "gateway"}
        self.refused_by(rules.selectors_match, documents, "PodDisruptionBudget")

    def test_a_monitor_of_another_service_is_refused(self):
        documents = self.single()
        bed.of_kind(documents, "ServiceMonitor")[0]["spec"]["endpoints"][0]["port"] = "metrics"
        self.refused_by(rules.selectors_match, documents, "port metrics")

    def test_ports_that_nobody_has_are_refused(self):
        documents = self.single()
        bed.of_kind(documents, "NetworkPolicy")[0]["spec"]["ingress"][0]["ports"][0]["port"] = "rpc"
        bed.of_kind(documents, "Service")[0]["spec"]["ports"][0]["targetPort"] = 50052
        bed.pod(documents)["spec"]["containers"][0]["readinessProbe"]["httpGet"]["port"] = "health"
        for words in ("port rpc", "port 50052", "readinessProbe"):
            self.refused_by(rules.ports_exist, documents, words)

    def test_an_ingress_to_the_admin_port_is_refused(self):
        documents = self.single()
        path = bed.of_kind(documents, "Ingress")[0]["spec"]["rules"][0]["http"]["paths"][0]
        path["backend"]["service"] = {"name": "ipp-gateway-admin", "port": {"name": "admin"}}
        self.refused_by(rules.ports_exist, documents, "lets the world at")

    def test_a_configuration_that_listens_elsewhere_is_refused(self):
        documents = self.single()
        [config] = bed.of_kind(documents, "ConfigMap")
        config["data"]["gateway.yaml"] = config["data"]["gateway.yaml"].replace("0.0.0.0:9090", "127.0.0.1:9090")
        self.refused_by(rules.ports_exist, documents, "the port admin is 9090")

    def test_a_drain_longer_than_the_grace_period_is_refused(self):
        documents = self.single()
        [config] = bed.of_kind(documents, "ConfigMap")
        config["data"]["gateway.yaml"] = config["data"]["gateway.yaml"].replace(
            "drain_timeout: 20s", "drain_timeout: 1m30s")
        self.refused_by(rules.drain_fits, documents, "up to 200 s")
        documents = self.single()
        bed.pod(documents)["spec"]["terminationGracePeriodSeconds"] = 60
        self.refused_by(rules.drain_fits, documents, "the pod has 60 s")

    def test_pods_that_may_too_much_are_refused(self):
        def changed(change):
            documents = self.single()
            spec = bed.pod(documents)["spec"]
            change(spec, spec["containers"][0]["securityContext"])
            return list(rules.restricted(documents))
        for change in (lambda spec, one: spec["securityContext"].update(runAsNonRoot=False),
                       lambda spec, one: spec["securityContext"].update(runAsUser=0),
                       lambda spec, one: spec["securityContext"].pop("seccompProfile"),
                       lambda spec, one: spec.update(hostNetwork=True),
                       lambda spec, one: spec.pop("automountServiceAccountToken"),
                       lambda spec, one: spec["volumes"].append({"name": "node", "hostPath": {"path": "/"}}),
                       lambda spec, one: one["capabilities"].update(add=["NET_ADMIN"]),
                       lambda spec, one: one.pop("capabilities"),
                       lambda spec, one: one.update(allowPrivilegeEscalation=True),
                       lambda spec, one: one.update(readOnlyRootFilesystem=False),
                       lambda spec, one: spec["containers"][0]["resources"]["limits"].pop("memory")):
            self.assertEqual(1, len(changed(change)))

    def test_secrets_in_plain_text_are_refused(self):
        documents = self.replicated()
        bed.of_kind(documents, "ConfigMap")[0]["data"]["gateway.yaml"] += "# whsec_c2VjcmV0\n"
        self.refused_by(rules.no_secret_in_plain_text, documents, "ConfigMap")
        documents = self.replicated()
        bed.of_kind(documents, "Secret")[0]["data"]["password"] = base64.b64encode(b"hunter2").decode()
        self.refused_by(rules.no_secret_in_plain_text, documents, "more than a placeholder")
        documents = self.replicated()
        bed.pod(documents)["spec"]["containers"][0]["env"] = [{"name": "IPP_LOG_LEVEL", "value": "debug"}]
        self.refused_by(rules.no_secret_in_plain_text, documents, "environment")

    def test_references_to_nothing_are_refused(self):
        documents = [one for one in self.replicated() if one["metadata"]["name"] != "ipp-gateway-database"]
        self.refused_by(rules.references_exist, documents, "no Secret ipp-gateway-database")
        documents = self.replicated()
        bed.workload(documents)["spec"]["replicas"] = 3
        self.refused_by(rules.references_exist, documents, "an autoscaler sets them too")

    def test_a_second_writer_or_a_database_without_a_volume_is_refused(self):
        documents = self.single()
        bed.workload(documents)["spec"]["replicas"] = 2
        self.refused_by(rules.store_fits, documents, "one writer")
        documents = self.single()
        bed.workload(documents)["spec"]["volumeClaimTemplates"][0]["metadata"]["name"] = "other"
        self.refused_by(rules.store_fits, documents, "is on no volume")

    def test_reflection_is_refused(self):
        for text in ("reflection: true\n", ""):
            documents = self.single()
            [config] = bed.of_kind(documents, "ConfigMap")
            config["data"]["gateway.yaml"] = re.sub("reflection: false.*\n", text, config["data"]["gateway.yaml"])
            self.refused_by(rules.reflection_is_off, documents, "reflection")

    def test_an_image_of_another_version_is_refused(self):
        documents = self.single()
        bed.pod(documents)["spec"]["containers"][0]["image"] = "ipp-gateway:latest"
        self.refused_by(rules.image_is_this_version, documents, "latest")

    def test_a_typo_in_the_gateways_configuration_is_refused(self):
        documents = self.single()
        [config] = bed.of_kind(documents, "ConfigMap")
        config["data"]["gateway.yaml"] += "lisen: 0.0.0.0:1\n"
        _, done = check_config(documents, filled=True)
        self.assertIn("lisen: no such key", done.stderr)


if __name__ == "__main__":
    unittest.main()
