#!/usr/bin/env python3
"""components/backup and restore: valid, held to the rules, and their commands do what they are for, with the real gateway."""
import copy
import os
import pathlib
import re
import tempfile
import unittest

import backups
import bed
import ipp_kit
import rules
import schemas

BACKUP = bed.page("Backups on Kubernetes")
SINGLE = bed.overlay("single", BACKUP)
RESTORED = bed.overlay("single", BACKUP + bed.page("Restore on Kubernetes"))
NAME = "ipp-gateway-backup-29384757-x7x2p"


def job(documents):
    [found] = bed.of_kind(documents, "CronJob")
    return found["spec"]["jobTemplate"]["spec"]


def script(container):
    """The text of a container that runs a shell."""
    assert container["command"][:2] == ["sh", "-euc"], container["command"]
    return container["command"][2]


class Documents(unittest.TestCase):
    def test_fit_the_schemas_and_keep_every_rule(self):
        for documents in (SINGLE, RESTORED):
            self.assertEqual([], [line for one in documents for line in schemas.complaints(one)])
            for rule in rules.ALL:
                self.assertEqual([], list(rule(documents)), rule.__name__)

    def test_the_two_components_come_and_go(self):
        self.assertEqual(1, len(bed.of_kind(SINGLE, "CronJob")))
        self.assertNotIn("--restored", str(SINGLE))
        self.assertEqual("--restored", bed.pod(RESTORED)["spec"]["containers"][0]["args"][-1])

    def test_a_wrong_field_is_an_error(self):
        [document] = copy.deepcopy(bed.of_kind(SINGLE, "CronJob"))
        document["spec"]["jobTemplate"]["spec"]["concurrencyPolicy"] = "Forbid"
        self.assertIn("'concurrencyPolicy' was unexpected", str(schemas.complaints(document)))


class Teeth(unittest.TestCase):
    def refused(self, rule, change, words, documents=None):
        documents = copy.deepcopy(documents or SINGLE)
        change(documents)
        found = list(rule(documents))
        self.assertTrue(any(words in line for line in found), found)
        self.assertIn(rule, rules.ALL)

    def test_a_backup_that_cannot_work_is_refused(self):
        def pod(documents):
            return job(documents)["template"]["spec"]

        def mount(documents, name):
            [found] = [one for one in pod(documents)["initContainers"][0]["volumeMounts"] if one["name"] == name]
            return found

        def claim(documents, name, value):
            [found] = [one for one in pod(documents)["volumes"] if one["name"] == name]
            found["persistentVolumeClaim"]["claimName"] = value

        for change, words in (
                (lambda one: pod(one).pop("affinity"), "need not run on the gateway's node"),
                (lambda one: pod(one)["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][0]
                 .update(topologyKey="topology.kubernetes.io/zone"), "need not run on the gateway's node"),
                (lambda one: pod(one)["securityContext"].update(runAsUser=65534), "another runAsUser"),
                (lambda one: claim(one, "data", "data-ipp-gateway-1"), "does not find the store"),
                (lambda one: mount(one, "data").update(mountPath="/data"), "does not find the store"),
                (lambda one: mount(one, "data").update(readOnly=True), "must be able to write beside it"),
                (lambda one: claim(one, "backups", "data-ipp-gateway-0"), "on no volume of its own"),
                (lambda one: pod(one)["initContainers"][0]["args"].__setitem__(3, "/backups/backup.db"), "same each time"),
                (lambda one: pod(one)["initContainers"][0].pop("env"), "same each time"),
                (lambda one: pod(one)["initContainers"][0]["args"].__setitem__(1, "/etc/other.yaml"), "another configuration"),
                (lambda one: pod(one).pop("initContainers"), "no --backup before what prunes"),
                (lambda one: job(one).pop("activeDeadlineSeconds"), "would keep the volume"),
                (lambda one: bed.of_kind(one, "CronJob")[0]["spec"].update(concurrencyPolicy="Allow"), "meet the next one")):
            with self.subTest(words=words):
                self.refused(backups.backups_reach_the_store, change, words)

    def test_a_backup_of_postgresql_is_refused(self):
        self.refused(backups.backups_reach_the_store, lambda _: None, "pg_dump", bed.overlay("replicated", BACKUP))

    def test_a_restore_that_the_gateway_does_not_know_of_is_refused(self):
        self.refused(backups.restores_are_said, lambda one: bed.pod(one)["spec"]["containers"][0]["args"].pop(),
                     "without --restored", RESTORED)

    def test_its_pods_are_held_to_what_holds_for_the_gateways(self):
        def prune(documents):
            return job(documents)["template"]["spec"]["containers"][0]

        for rule, change, words in (
                (rules.selectors_match, lambda one: job(one)["template"]["metadata"]["labels"].update(
                    {"app.kubernetes.io/name": "ipp-gateway"}), "Service ipp-gateway selects the pods of CronJob"),
                (rules.restricted, lambda one: prune(one)["securityContext"].pop("capabilities"), "CronJob ipp-gateway-backup: keeps"),
                (rules.restricted, lambda one: job(one)["template"]["spec"].pop("enableServiceLinks"), "IPP_GATEWAY_"),
                (rules.references_exist, lambda one: one.remove(bed.of_kind(one, "PersistentVolumeClaim")[0]),
                 "no PersistentVolumeClaim ipp-gateway-backups"),
                (rules.no_secret_in_plain_text, lambda one: prune(one).update(env=[{"name": "A", "value": "b"}]), "environment"),
                (rules.image_is_this_version, lambda one: prune(one).update(image="busybox"), "has no version")):
            with self.subTest(words=words):
                self.refused(rule, change, words)


class Commands(unittest.TestCase):
    def setUp(self):
        self.bed = self.enterContext(ipp_kit.Bed(bed.BUILD))
        self.data, self.backups = self.bed.work / "data", self.bed.work / "backups"
        self.data.mkdir()
        self.backups.mkdir()

    def here(self, text):
        return text.replace("/var/lib/ipp-gateway", str(self.data)).replace("/backups", str(self.backups))

    def shell(self, container, text, expect=0):
        done = bed.run("sh", "-euc", self.here(text), cwd=self.here(container["workingDir"]))
        self.assertEqual(expect, done.returncode, done.stderr)
        return done.stdout

    def start(self, *flags):
        parts = {"store": {"sqlite": {"path": f"{self.data}/gateway.db"}}}
        config = self.bed.configuration(**parts)
        return self.bed.start([ipp_kit.binary(bed.BUILD, "ipp-gateway"), "--config", config, *flags], kind=ipp_kit.Gateway)

    def test_prune_keeps_the_newest_seven(self):
        [prune] = job(SINGLE)["template"]["spec"]["containers"]
        for number in range(10):
            path = self.backups / f"ipp-gateway-backup-{99 - number}.db"  # the name says nothing, the time does
            path.write_text("")
            os.utime(path, (1e9 + number, 1e9 + number))
        for name, age in (("old.db.7.partial", 1e9), ("new.db.7.partial", None)):
            (self.backups / name).write_text("")
            if age:
                os.utime(self.backups / name, (age, age))
        for _ in range(2):
            said = self.shell(prune, script(prune))
            left = sorted(path.name for path in self.backups.iterdir())
            self.assertEqual([f"ipp-gateway-backup-{number}.db" for number in range(90, 97)] + ["new.db.7.partial"], left)
            self.assertIn("ipp-gateway-backup-90.db", said)

    def test_a_backup_comes_back(self):
        [backup] = job(SINGLE)["template"]["spec"]["initContainers"]
        [restore] = bed.pod(RESTORED)["spec"]["initContainers"]
        self.bed.start_simulator()
        gateway = self.start()
        args = [self.here(word).replace("$(POD_NAME)", NAME) for word in backup["args"]]
        args[1] = self.bed.work / "gateway.yaml"
        done = bed.run(ipp_kit.binary(bed.BUILD, "ipp-gateway"), *args)
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertEqual(0o600, (self.backups / f"{NAME}.db").stat().st_mode & 0o777)
        self.bed.stop(gateway)
        before = (self.data / "gateway.db").read_bytes()
        text = script(restore).replace("NAME-OF-THE-BACKUP", NAME)
        self.assertNotEqual(text, script(restore))
        self.shell(restore, text)
        self.assertEqual((self.backups / f"{NAME}.db").read_bytes(), (self.data / "gateway.db").read_bytes())
        self.assertEqual(before, (self.data / f"before-{NAME}.db/gateway.db").read_bytes())
        gateway = self.start("--restored")
        self.assertIn("restored; creates", gateway.page("readyz")[1])
        self.bed.stop(gateway)
        # The pod starts again: what was written since stays.
        since = (self.data / "gateway.db").read_bytes()
        self.shell(restore, text)
        self.assertEqual(since, (self.data / "gateway.db").read_bytes())

    def test_a_restore_that_is_cut_off_anywhere_is_done_by_the_next(self):
        [restore] = bed.pod(RESTORED)["spec"]["initContainers"]
        lines = script(restore).replace("NAME-OF-THE-BACKUP", NAME).splitlines(keepends=True)
        (self.backups / f"{NAME}.db").write_text("backup")
        old = {"gateway.db": "old", "gateway.db-wal": "old log", "gateway.db-shm": "old index"}
        self.assertGreater(len(lines), 8)
        for cut in range(len(lines) + 1):
            for missing in (set(), {"gateway.db-wal", "gateway.db-shm"}):
                with self.subTest(cut=cut, missing=missing), tempfile.TemporaryDirectory() as folder:
                    self.data = pathlib.Path(folder)
                    there = {name: text for name, text in old.items() if name not in missing}
                    for name, text in there.items():
                        (self.data / name).write_text(text)
                    self.shell(restore, "".join(lines[:cut]) or ":")
                    self.shell(restore, "".join(lines))
                    kept = self.data / f"before-{NAME}.db"
                    self.assertEqual({"gateway.db", kept.name}, {path.name for path in self.data.iterdir()})
                    self.assertEqual("backup", (self.data / "gateway.db").read_text())
                    self.assertEqual(there, {path.name: path.read_text() for path in kept.iterdir()})

    def test_a_backup_that_is_not_there_changes_nothing(self):
        [restore] = bed.pod(RESTORED)["spec"]["initContainers"]
        (self.data / "gateway.db").write_text("old")
        self.shell(restore, script(restore), expect=1)
        self.assertEqual("old", (self.data / "gateway.db").read_text())
        self.assertTrue(re.search(r"^backup=NAME-OF-THE-BACKUP\.db$", script(restore), re.M))


if __name__ == "__main__":
    unittest.main()
