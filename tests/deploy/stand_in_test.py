#!/usr/bin/env python3
"""The cluster's stand-in says no to commands that kubectl or a cluster would refuse, and does to a workload what the page
counts on."""
import contextlib
import io
import os
import pathlib
import tempfile
import unittest

import bed
import ipp_kit
import stand_in

PATCH = ["-n", "ipp-gateway", "patch", "deployment/ipp-gateway", "--type=json", "--patch"]
ARGS = "/spec/template/spec/containers/0/args"


class StandIn(unittest.TestCase):
    def setUp(self):
        self.work = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        os.environ["STAND_IN_CLUSTER"] = str(self.work / "cluster.json")
        os.environ["STAND_IN_GATEWAY"] = str(ipp_kit.binary(bed.BUILD, "ipp-gateway"))
        cluster = stand_in.Cluster(os.environ["STAND_IN_CLUSTER"])
        for document in bed.overlay("replicated"):
            cluster.put(document)
        cluster.save()

    def typed(self, *words):
        """The exit code and what is said."""
        said = io.StringIO()
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            try:
                code = stand_in.main(list(words))
            except SystemExit as ended:
                code = ended.code
        return code, said.getvalue()

    def test_refuses(self):
        (self.work / "bad.yaml").write_text(
            "apiVersion: v1\nkind: Secret\nmetadata: {name: a, namespace: ipp-gateway}\ndaat: {}\n")
        ours = ["-n", "ipp-gateway"]
        secret = [*ours, "create", "secret", "generic"]
        debug = [*ours, "debug", "ipp-gateway-0", "--image=debian:13-slim"]
        for words, said in (
                (["get", "pods"], "in the namespace default"),
                (["-n", "default", "get", "pods"], "in the namespace default"),
                ([*ours, "get", "nodes"], "invalid choice"),
                ([*ours, "frobnicate"], "invalid choice"),
                ([*ours, "scale", "deployment/ipp-gateway", "--replica=1"], ""),
                ([*ours, "scale", "deployment/gateway", "--replicas=1"], "Deployment/gateway not found"),
                ([*ours, "delete", "hpa/gateway"], "not found"),
                ([*ours, "rollout", "undo", "deployment/ipp-gateway"], "no rollout history"),
                ([*ours, "rollout", "status", "statefulset/ipp-gateway"], "not found"),
                # Placeholders are no secrets.
                ([*ours, "rollout", "status", "deployment/ipp-gateway"], "the pods do not start"),
                ([*ours, "create", "job", "--from=cronjob/ipp-gateway-backup", "now"], "not found"),
                ([*secret, "ipp-gateway-kustom", f"--from-file={self.work}/bad.yaml"], "already exists"),
                ([*secret, "new", f"--from-file={self.work}/gone"], "No such file"),
                (["apply", "-f", f"{self.work}/gone.yaml"], "No such file"),
                (["apply", "-f", f"{self.work}/bad.yaml"], "'daat' was unexpected"),
                ([*PATCH, f'[{{"op": "remove", "path": "{ARGS}/9"}}]'], "is not there"),
                ([*PATCH, f'[{{"op": "add", "path": "{ARGS}", "value": "--restored"}}]'], "is not of type 'array'"),
                ([*debug, "--target=ipp-gateway"], "violates PodSecurity"),
                ([*debug, "--target=gateway", "--profile=restricted"], "there is no container gateway"),
                ([*ours, "debug", "ipp-gateway-7", debug[4], "--target=ipp-gateway", "--profile=restricted"], "not found"),
                ([*ours, "exec", "ipp-gateway-0", "--", "sh"], "no such program in the image")):
            with self.subTest(words=words):
                before = pathlib.Path(os.environ["STAND_IN_CLUSTER"]).read_text()
                code, text = self.typed(*words)
                self.assertNotEqual(0, code, text)
                self.assertIn(said, text)
                self.assertEqual(before, pathlib.Path(os.environ["STAND_IN_CLUSTER"]).read_text())

    def test_the_autoscaler_brings_three_but_leaves_none_alone(self):
        def replicas():
            return stand_in.Cluster(os.environ["STAND_IN_CLUSTER"]).replicas()
        self.assertEqual(3, replicas())
        self.assertEqual(0, self.typed("-n", "ipp-gateway", "scale", "deployment/ipp-gateway", "--replicas=0")[0])
        self.assertEqual(0, replicas())
        self.assertEqual(0, self.typed("-n", "ipp-gateway", "scale", "deployment/ipp-gateway", "--replicas=1")[0])
        self.assertEqual(3, replicas())
        self.assertEqual(0, self.typed("-n", "ipp-gateway", "delete", "hpa/ipp-gateway")[0])
        self.assertEqual(1, replicas())


if __name__ == "__main__":
    unittest.main()
