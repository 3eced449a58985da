#!/usr/bin/env python3
"""deploy/README.md, followed to the letter: every block of commands on the page is run here, or is in NOT_RUN with the
reason, and is looked at all the same. The way is an operator's: one gateway with SQLite, a backup, a restore, the move
to PostgreSQL, three replicas, an update, a rollback, a restore of a dump, a restore to a point in time."""
import re
import subprocess
import sys

import yaml

import bed
import ipp_kit
import page_blocks
import readme_looks as looks
import readme_prose
import schemas
import stand_in
from operator_desk import IMAGE, Desk, Stumbled, need

PAGE = bed.DEPLOY / "README.md"
OVERLAY = "kubernetes/overlays/{}/"


def probes(desk, block):
    said = desk.shell(block.text)
    need("store: ok" in said and "ipp_build_info{version=" in said, said)


def builds(desk, block):
    for command in block.text.splitlines():
        documents = [one for one in yaml.safe_load_all(desk.shell(command + "\n")) if one]
        need(len(documents) > 10, command)
        need(not (wrong := [line for one in documents for line in schemas.complaints(one)]), "\n".join(wrong))


def in_an_overlay(kind, *names):
    """The block is typed in a copy of an overlay's folder; what comes of it has the kind."""
    def run(desk, block):
        for name in names:
            copy = f"copy-{block.line}-{name}"
            desk.shell(f"cp -r deploy/kubernetes {copy}")
            desk.shell(block.text, f"{copy}/overlays/{name}")
            documents = bed.render(desk.work / copy / "overlays" / name)
            need(bed.of_kind(documents, kind), f"{block.text}: no {kind} in {name}")
            need(not (wrong := [line for one in documents for line in schemas.complaints(one)]), "\n".join(wrong))
    return run


def restored_on_kubernetes(desk, block):
    """The component after that of the backups, as the page has them."""
    def restore(first, second):
        documents = bed.overlay("single", first + second)
        need("--restored" in bed.pod(documents)["spec"]["containers"][0]["args"], second)
    [backup] = [one for one in page_blocks.blocks(PAGE.read_text()) if one.heading == "Backups on Kubernetes"]
    restore(backup.text, block.text)


def backup(desk, block):
    desk.variables["FIRST"] = desk.create(1)
    desk.shell(block.text)
    need("is there already" in desk.tried(block.text).stderr, "a backup is overwritten")
    desk.create(2)


def restore(desk, block):
    desk.stop_gateways()
    gateway = desk.serve(block=block.text)
    need("restored; creates" in gateway.page("readyz")[1], gateway.page("readyz")[1])
    need(desk.create(1) == desk.variables["FIRST"], "the backup does not hold what came before it")
    need((desk.data / "old/gateway.db").exists(), "the old database is gone")


def make_database(desk, block):
    desk.shell(f"psql -q -v ON_ERROR_STOP=1 <<'END'\n{block.text}END\n", user="postgres")


def copy_store(desk, block):
    desk.stop_gateways()
    desk.bed.configuration("postgres", store={"postgres": {"dsn_file": f"{desk.work}/dsn",
                                                           "password_file": f"{desk.work}/password"}})
    desk.shell(block.text)
    need("not empty" in desk.tried(block.text).stderr, "copied twice")


def digest(desk, block):
    need(re.fullmatch(r"[0-9a-f]{64}\n", said := desk.shell(block.text)), said)
    need(said == (desk.work / "order-service.sha256").read_text(), "not what the callers' Secret has")


def own_overlay(desk, block):
    """And what the page says to write into the copy."""
    desk.shell(block.text)
    path = desk.work / OVERLAY.format("replicated") / "gateway.yaml"
    text = path.read_text().replace("PM00000000", ipp_kit.MERCHANT).replace(
        "https://api.playground.kustom.co", f"http://{desk.bed.simulator.address}")
    # The caller here is its own operator.
    path.write_text(text.replace("[sessions.write, sessions.read, events.read]", '["*"]'))
    documents = bed.render(path.parent)
    need(not bed.of_kind(documents, "Secret"), "the placeholders would overwrite the Secrets")


def shell(desk, block):
    desk.shell(block.text)


def three_replicas(desk, block):
    need(desk.shell(block.text).count("Running") == 3, "not three pods")
    desk.pods()
    need(desk.create(1) == desk.variables["FIRST"], "the move to PostgreSQL lost a session")


def rolled(tag):
    """The block brings this image; the replicas are replaced by others that know what was."""
    def run(desk, block):
        desk.shell(block.text)
        need(desk.cluster().container()["image"] == f"{IMAGE}:{tag}", desk.cluster().container()["image"])
        desk.stop_gateways()
        desk.pods()
        need(desk.create(1) == desk.variables["FIRST"], "another session")
    return run


def subscriptions(desk):
    return desk.shell("ippctl subscriptions list -o json")


def dump(desk, block):
    desk.shell("ippctl subscriptions create orders --type finalized")
    desk.shell(block.text)
    desk.shell("ippctl subscriptions create after-the-dump --type finalized")


def bring_back(desk, block):
    need("after-the-dump" in subscriptions(desk), subscriptions(desk))
    desk.stop_gateways()
    # The database may have been brought forward since.
    desk.shell("psql -qU ipp -d ipp -c 'CREATE TABLE ipp_gateway.of_a_newer_release ()'")
    desk.shell(block.text)
    is_restored(desk, desk.pod(desk.cluster(), 0, "--restored"))
    need("after-the-dump" not in subscriptions(desk), subscriptions(desk))


def is_restored(desk, gateway):
    """It knows what was before, and that it is restored."""
    need("restored; creates" in gateway.page("readyz")[1], gateway.page("readyz")[1])
    need(desk.create(1) == desk.variables["FIRST"] and "orders" in subscriptions(desk), "what came before is lost")


def on_the_server(desk, block):
    """Typed as the database's superuser, while the gateways run."""
    desk.shell(block.text, user="postgres")


def stop_replicas(desk, block):
    """Here is the moment to which the next block goes back."""
    desk.variables["MOMENT"] = desk.shell("psql -Atc 'SELECT clock_timestamp()'", user="postgres").strip()
    desk.shell("psql -qd ipp -c 'CREATE TABLE after_the_moment ()'", user="postgres")
    desk.shell(block.text)
    need(desk.cluster().replicas() == 0, "replicas are left")
    desk.stop_gateways()


def go_back(desk, block):
    desk.shell(block.text, user="postgres")
    there = desk.shell("psql -Atd ipp -c \"SELECT to_regclass('after_the_moment') IS NULL\"", user="postgres")
    need(there.strip() == "t", "what came after the moment is there")


def start_restored(desk, block):
    """One pod with --restored, and after it three without."""
    seen = len(desk.cluster().seen)
    desk.shell(block.text)
    cluster = desk.cluster()
    [one] = cluster.seen[seen:]
    need(one["replicas"] == 1, f"{one}")
    need("--restored" not in cluster.container()["args"] and cluster.replicas() == 3, "not what the overlay says")
    cluster.container()["args"] = one["container"]["args"]
    is_restored(desk, desk.pod(cluster, 0))
    desk.stop_gateways()
    desk.pods()


# In the operator's order: the heading above a block, how it begins, and what runs it or looks at it.
STEPS = [
    ("Start", "docker run ", looks.docker_run),
    ("Start", "curl -sf http://127.0.0.1:9090/livez", probes),
    ("Backups and moves", "ipp-gateway --config gateway.yaml --backup", backup),
    ("Backups and moves", "mkdir -p /var/lib/ipp-gateway/old", restore),
    ("PostgreSQL", "CREATE ROLE ipp", make_database),
    ("Backups and moves", "ipp-gateway --config postgres.yaml --copy-store", copy_store),
    ("An image without an engine", "./dev image", looks.dev_image),
    ("arm64", "mmdebstrap ", looks.mmdebstrap),
    ("Kubernetes", "kustomize build deploy/kubernetes/overlays/single", builds),
    ("Ingress or Gateway", "sed -i 's|components/webhook-ingress|", in_an_overlay("GRPCRoute", "single", "replicated")),
    ("Backups on Kubernetes", "kustomize edit add component", in_an_overlay("CronJob", "single")),
    ("Restore on Kubernetes", "kustomize edit add component", restored_on_kubernetes),
    ("From nothing to three replicas", "TOKEN=$(openssl ", shell),
    ("Secrets", 'printf %s "$TOKEN"', digest),
    ("From nothing to three replicas", "cp -r deploy/kubernetes kubernetes", own_overlay),
    ("From nothing to three replicas", "kubectl apply -f deploy/kubernetes/base/namespace.yaml", shell),
    ("From nothing to three replicas", "kustomize build kubernetes/overlays/replicated", three_replicas),
    ("Callers", "2026-01-02T03:04:05.678Z audit ", looks.audit_line),
    ("Signals", "kubectl -n ipp-gateway debug ", shell),
    ("PostgreSQL to a point in time", "export PGDATA=", on_the_server),
    ("PostgreSQL to a point in time", 'mkdir -p "$BACKUPS/wal"', on_the_server),
    ("PostgreSQL to a point in time", "BASE=$BACKUPS/base-", on_the_server),
    ("Backups and moves", "pg_dump --format=custom", dump),
    ("From nothing to three replicas", "(cd kubernetes/overlays/replicated", rolled("2.0.0")),
    ("Taking an update back", "kubectl -n ipp-gateway rollout undo", rolled("1.0.0")),
    ("Backups and moves", "psql -c 'ALTER SCHEMA ipp_gateway", bring_back),
    ("PostgreSQL to a point in time", "kubectl -n ipp-gateway delete hpa", stop_replicas),
    ("PostgreSQL to a point in time", "pg_ctl stop -w", go_back),
    ("PostgreSQL to a point in time", "kubectl -n ipp-gateway patch", start_restored),
]

# Blocks that do not run as they would for an operator, and why. Those with NO_CLUSTER run with stand_in.py in kubectl's
# place: it parses each flag, wants each named object, and the pods that come of it are real gateways. Of the others a
# function of readme_looks.py looks at the words.
NO_CLUSTER = "there is no cluster"
NOT_RUN = {
    "docker run ": "there is no engine and no image",
    "./dev image": "it builds for minutes as root, and there is no registry",
    "mmdebstrap ": "it installs a root file system for minutes, as root",
    "2026-01-02T03:04:05.678Z audit ": "it is a line of the log, no command",
    "kubectl apply -f deploy/kubernetes/base/namespace.yaml": NO_CLUSTER,
    "kustomize build kubernetes/overlays/replicated": NO_CLUSTER,
    "(cd kubernetes/overlays/replicated": NO_CLUSTER,
    "kubectl -n ipp-gateway rollout undo": NO_CLUSTER,
    "kubectl -n ipp-gateway delete hpa": NO_CLUSTER,
    "kubectl -n ipp-gateway patch": NO_CLUSTER,
    "kubectl -n ipp-gateway debug ": NO_CLUSTER,
}


def plan(text):
    """Each step with its block, and what does not fit."""
    known = page_blocks.blocks(text)
    steps, wrong, taken = [], [], set()
    for heading, beginning, act in STEPS:
        found = [one for one in known if one.heading == heading and one.text.startswith(beginning)]
        if len(found) != 1:
            wrong.append(f"{heading}: {len(found)} blocks begin with '{beginning}'")
            continue
        steps.append((found[0], act))
        taken.add(found[0].line)
        is_looked_at = "kubectl" in found[0].text or getattr(act, "__module__", "") == looks.__name__
        if is_looked_at != (beginning in NOT_RUN):
            wrong.append(f"'{beginning}': NOT_RUN must say so, and why, for what is not run, and for nothing else")
    wrong += [f"{PAGE.name}:{one.line}: '{one.first}' is neither run nor in NOT_RUN" for one in known if one.line not in taken]
    wrong += [f"NOT_RUN has '{one}', which is no step" for one in set(NOT_RUN) - {step[1] for step in STEPS}]
    return steps, wrong


def self_test(text):
    """A block that is new, one that is gone and one that is changed are found."""
    new = plan(text + "\n\n    kubectl -n ipp-gateway get pods\n")[1]
    assert len(new) == 1 and "is neither run nor in NOT_RUN" in new[0], new
    fenced = plan(text + "\n```sh\nippctl report day\n```\n")[1]
    assert len(fenced) == 1 and "'ippctl report day' is neither run" in fenced[0], fenced
    gone = plan(re.sub(r"(?m)^    pg_dump .*\n", "", text))[1]
    assert gone == ["Backups and moves: 0 blocks begin with 'pg_dump --format=custom'"], gone
    changed = plan(text.replace("    pg_dump --format=custom", "    pg_dump --format=plain"))[1]
    assert len(changed) == 2, changed


def main():
    text = PAGE.read_text()
    steps, wrong = plan(text)
    if wrong:
        print("\n".join(wrong))
        return 1
    self_test(text)
    with ipp_kit.Bed(bed.BUILD) as kit_bed:
        desk = Desk(kit_bed)
        try:
            desk.begin()
            for block, act in steps:
                print(f"{PAGE.name}:{block.line}: {block.first}", flush=True)
                act(desk, block)
            readme_prose.run_all(desk, text)
            kit_bed.keep("readme")
        except (Stumbled, stand_in.Refused, ipp_kit.BedError, subprocess.TimeoutExpired, AssertionError) as stumble:
            print(f"FAILED: {stumble}")
            return 1
        finally:
            desk.stop_postgres()
    print(f"{len(steps)} blocks of the page hold, {len(NOT_RUN)} of them without what they are for")
    return 0


if __name__ == "__main__":
    sys.exit(main())
