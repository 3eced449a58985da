#!/usr/bin/env python3
"""The checks that deploy/kubernetes/components/gateway-api passes in kubernetes_test.py say no to what they are there for."""
import copy
import unittest

import bed
import routes
import rules
import schemas

SINGLE = bed.overlay("single", bed.page("Ingress or Gateway"))
OURS = ("HTTPRoute", "GRPCRoute", "BackendTLSPolicy", "BackendTrafficPolicy")


def objects(value, where=()):
    """Every object of a document that has fixed fields, with the way to it."""
    if isinstance(value, dict):
        if not where or where[-1] not in ("labels", "annotations"):
            yield where
        for key, inner in value.items():
            yield from objects(inner, where + (key,))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from objects(inner, where + (index,))


def at(document, where):
    for part in where:
        document = document[part]
    return document


class Schemas(unittest.TestCase):
    def one(self, kind):
        [found] = bed.of_kind(copy.deepcopy(SINGLE), kind)
        return found

    def refused(self, document, words):
        found = schemas.complaints(document)
        self.assertTrue(any(words in line for line in found), found)

    def test_know_every_kind(self):
        for kind in OURS:
            self.assertEqual([], schemas.complaints(self.one(kind)))

    def test_refuse_an_unknown_field_anywhere(self):
        for kind in OURS:
            places = list(objects(self.one(kind)))
            self.assertGreater(len(places), 3, kind)
            for where in places:
                with self.subTest(kind=kind, where=where):
                    document = self.one(kind)
                    at(document, where)["nonsense"] = "1"
                    self.refused(document, "'nonsense' was unexpected")

    def test_refuse_wrong_values(self):
        for kind, where, key, value, words in (
                ("HTTPRoute", ("spec", "rules", 0, "backendRefs", 0), "port", "webhooks", "is not of type 'integer'"),
                ("HTTPRoute", ("spec", "rules", 0, "backendRefs", 0), "port", 70000, "greater than the maximum"),
                ("HTTPRoute", ("spec", "rules", 0, "matches", 0), "method", "post", "is not one of"),
                ("HTTPRoute", ("spec",), "hostnames", ["payments_webhooks.example.com"], "does not match"),
                ("HTTPRoute", ("spec", "rules", 0), "timeouts", {"request": "20"}, "does not match"),
                ("GRPCRoute", ("spec", "parentRefs", 0), "name", "", ".spec.parentRefs[0].name: "),
                ("GRPCRoute", ("spec",), "rules", None, ".spec.rules: is empty"),
                ("BackendTLSPolicy", ("spec",), "targetRefs", [], ".spec.targetRefs: "),
                ("BackendTrafficPolicy", ("spec", "timeout", "http"), "requestTimeout", 0, "is not of type 'string'")):
            with self.subTest(kind=kind, key=key, value=value):
                document = self.one(kind)
                at(document, where)[key] = value
                self.refused(document, words)

    def test_refuse_what_is_missing(self):
        for kind, where, key in (
                ("HTTPRoute", (), "spec"), ("HTTPRoute", ("spec", "rules", 0, "backendRefs", 0), "name"),
                ("GRPCRoute", ("spec", "parentRefs", 0), "name"), ("BackendTLSPolicy", ("spec",), "validation"),
                ("BackendTLSPolicy", ("spec", "validation"), "hostname")):
            with self.subTest(kind=kind, key=key):
                document = self.one(kind)
                del at(document, where)[key]
                self.refused(document, f"'{key}' is a required property")

    def test_refuse_a_version_that_is_not_served(self):
        document = self.one("BackendTLSPolicy")
        document["apiVersion"] = "gateway.networking.k8s.io/v1alpha3"
        self.refused(document, "is no kind of gateway.networking.k8s.io v1.4.1")

    def test_know_no_timeouts_of_a_grpc_route(self):
        """grpcroute.yaml says so. When a newer API has them, they take the place of components/gateway-api/envoy-gateway."""
        document = self.one("GRPCRoute")
        document["spec"]["rules"][0]["timeouts"] = {"request": "0s"}
        self.refused(document, "'timeouts' was unexpected")


class Rules(unittest.TestCase):
    def setUp(self):
        self.documents = copy.deepcopy(SINGLE)

    def spec(self, kind, name=None):
        [found] = [one for one in bed.of_kind(self.documents, kind) if name in (None, one["metadata"]["name"])]
        return found["spec"]

    def refused(self, rule, words):
        found = list(rule(self.documents))
        self.assertTrue(any(words in line for line in found), found)
        self.assertIn(rule, rules.ALL)

    def test_refuse_a_route_to_what_is_not_there(self):
        for key, value in (("name", "ipp-gateway-hooks"), ("port", 8081), ("namespace", "elsewhere"), ("kind", "Pod")):
            with self.subTest(key=key):
                self.setUp()
                self.spec("HTTPRoute")["rules"][0]["backendRefs"][0][key] = value
                self.refused(routes.routes_lead_to_their_ports, "HTTPRoute ipp-gateway-webhooks: there is no Service")
        self.setUp()
        del self.spec("GRPCRoute")["rules"][0]["backendRefs"][0]["port"]
        self.refused(routes.routes_lead_to_their_ports, "no Service ipp-gateway with the port None")
        del self.spec("GRPCRoute")["rules"][0]["backendRefs"]
        self.refused(routes.routes_lead_to_their_ports, "GRPCRoute ipp-gateway leads nowhere")

    def test_refuse_a_route_to_another_port_than_its_kinds(self):
        for kind, backend, words in (
                ("HTTPRoute", {"name": "ipp-gateway-admin", "port": 9090}, "at the port admin"),
                ("HTTPRoute", {"name": "ipp-gateway", "port": 50051}, "at the port grpc"),
                ("GRPCRoute", {"name": "ipp-gateway-admin", "port": 9090}, "at the port admin")):
            with self.subTest(kind=kind, words=words):
                self.setUp()
                self.spec(kind)["rules"][0]["backendRefs"].append(backend)
                self.refused(routes.routes_lead_to_their_ports, words)

    def test_refuse_a_route_that_takes_more_than_it_should(self):
        for kind in routes.BEHIND:
            with self.subTest(kind=kind):
                del self.spec(kind)["hostnames"]
                self.refused(routes.routes_lead_to_their_ports, f"{kind} ipp-gateway")
                self.setUp()
                del self.spec(kind)["parentRefs"][0]["sectionName"]
                self.refused(routes.routes_lead_to_their_ports, "also on one without TLS")
                del self.spec(kind)["parentRefs"]
                self.refused(routes.routes_lead_to_their_ports, "is on no Gateway")
                self.setUp()
        self.spec("HTTPRoute")["rules"][0]["matches"][0]["path"]["type"] = "PathPrefix"
        self.refused(routes.routes_lead_to_their_ports, "does not take webhooks at")
        self.setUp()
        del self.spec("HTTPRoute")["rules"][0]["matches"]
        self.refused(routes.routes_lead_to_their_ports, "does not take webhooks at {}")
        self.refused(routes.routes_lead_to_their_ports, "more than POST")

    def test_refuse_plain_text_behind_the_gateway(self):
        self.documents = [one for one in SINGLE if one["kind"] != "BackendTLSPolicy"]
        self.refused(routes.tls_goes_on_behind_the_gateway, "no BackendTLSPolicy for ipp-gateway, port grpc")
        self.setUp()
        self.spec("BackendTLSPolicy")["targetRefs"][0]["sectionName"] = "rpc"
        self.refused(routes.tls_goes_on_behind_the_gateway, "no BackendTLSPolicy for ipp-gateway, port grpc")
        self.refused(routes.tls_goes_on_behind_the_gateway, "port rpc, and no route")
        self.setUp()
        self.spec("BackendTLSPolicy")["validation"]["hostname"] = "payments.internal.example.com"
        self.refused(routes.tls_goes_on_behind_the_gateway, "the certificate is for ipp-gateway.ipp-gateway.svc")
        self.spec("BackendTLSPolicy")["validation"]["caCertificateRefs"][0]["name"] = "ca"
        self.refused(routes.tls_goes_on_behind_the_gateway, "no ConfigMap ca with ca.crt")

    def test_refuse_a_gateway_whose_pods_stay_outside(self):
        self.spec("HTTPRoute")["parentRefs"][0]["name"] = "outside"
        self.refused(routes.who_brings_traffic_is_let_in, "the pods of the Gateway outside")
        self.setUp()
        self.spec("GRPCRoute")["parentRefs"][0]["namespace"] = "default"
        self.refused(routes.who_brings_traffic_is_let_in, "the pods of the Gateway internal")
        self.setUp()
        self.spec("NetworkPolicy", "ipp-gateway-webhooks")["ingress"][0]["ports"] = [{"port": "grpc"}]
        self.refused(routes.who_brings_traffic_is_let_in, "HTTPRoute ipp-gateway-webhooks: no NetworkPolicy")
        self.documents = [one for one in bed.overlay("single")
                          if bed.name_of(one) != "NetworkPolicy ipp-gateway-webhooks"]
        self.refused(routes.who_brings_traffic_is_let_in, "lets its controller in")

    def test_refuse_timeouts_that_end_streams(self):
        http = self.spec("BackendTrafficPolicy")["timeout"]["http"]
        http["requestTimeout"] = "10m"
        self.refused(routes.streams_live, "requestTimeout ends streams after 600 s")
        del http["requestTimeout"]
        self.refused(routes.streams_live, "requestTimeout ends streams after 15 s")
        http.update(requestTimeout="0s", maxStreamDuration="30m")
        self.refused(routes.streams_live, "maxStreamDuration ends streams after 1800 s")
        http["maxStreamDuration"] = "1h"
        self.assertEqual([], list(routes.streams_live(self.documents)))
        self.spec("BackendTrafficPolicy")["targetRefs"][0]["name"] = "other"
        self.refused(routes.streams_live, "there is no GRPCRoute other")

    def test_nothing_of_the_ingress_is_left(self):
        self.assertNotIn("ingress-nginx", str(SINGLE))


if __name__ == "__main__":
    unittest.main()
