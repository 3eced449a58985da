"""Where somebody works who follows deploy/README.md: a folder with a copy of deploy/, the page's programs in PATH, a shell
that keeps its variables from block to block, a PostgreSQL server, and what the page's words stand for here."""
import os
import pathlib
import shutil
import subprocess

import bed
import ipp_kit
import stand_in

PASSWORD = "password-of-the-readme"
IMAGE = "registry.example.com/shop/ipp-gateway"
SECONDS = 60  # for one block; only a broken one reaches them


class Stumbled(Exception):
    """A command of the page did not do what the page says."""


def need(condition, words):
    if not condition:
        raise Stumbled(words)


def _postgres_programs():
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    assert found, "no server of PostgreSQL: `./dev test` installs it"
    return found[-1].parent


class Desk:
    def __init__(self, kit_bed):
        self.bed, self.work = kit_bed, kit_bed.work
        # Below it works also the database's user.
        self.work.chmod(0o755)
        self.data, self.postgres = self.work / "var", self.work / "postgres"
        self.data.mkdir()
        shutil.copytree(bed.DEPLOY, self.work / "deploy")
        self._programs()
        self._keys()
        self.variables = {}
        self.address = {}  # of the gateway that runs, for ippctl
        # Longer words first.
        self.stands_for = {
            "postgresql://ipp@db-1/ipp": f"postgresql://ipp@/ipp?host={self.postgres}",
            "/var/lib/postgresql/17/main": f"{self.postgres}/data", "/var/backups/ipp": f"{self.postgres}/backups",
            "/var/lib/ipp-gateway/": f"{self.data}/", "YOUR-REGISTRY/ipp-gateway:NEW-TAG": f"{IMAGE}:2.0.0",
            "YOUR-REGISTRY/ipp-gateway:TAG": f"{IMAGE}:1.0.0", "'…'": f"'{PASSWORD}'", "POD": f"{stand_in.NAME}-0"}

    def _programs(self):
        (self.work / "bin").mkdir()
        for name in ("ipp-gateway", "ippctl"):
            (self.work / "bin" / name).symlink_to(ipp_kit.binary(bed.BUILD, name))
        (self.work / "bin/kustomize").symlink_to(bed.tool("bin/kustomize"))
        kubectl = self.work / "bin/kubectl"
        kubectl.write_text(f'#!/bin/sh\nexec /usr/bin/python3 {pathlib.Path(stand_in.__file__)} "$@"\n')
        kubectl.chmod(0o755)

    def _keys(self):
        """The files that the page wants beside `deploy`; api-key and webhook-secrets are the bed's."""
        ipp_kit.self_signed(self.work, "tls", "-addext", "subjectAltName=IP:127.0.0.1")
        shutil.copy(self.work / "tls.pem", self.work / "tls.crt")
        shutil.copy(self.work / "tls.pem", self.work / "ca.crt")
        self.bed.write("dsn", f"host={self.postgres} dbname=ipp user=ipp\n")
        self.bed.write("password", PASSWORD + "\n")

    def begin(self):
        """The server of the database, the simulator, one gateway with SQLite, and a device."""
        self.start_postgres()
        self.bed.start_simulator()
        self.bed.configuration(store={"sqlite": {"path": f"{self.data}/gateway.db"}})
        self.serve("--config", "gateway.yaml")
        self.variables["DEVICE"] = self.shell("ippctl simulate device --name Till -o 'jsonpath={.device.id}'").strip()

    def here(self, text):
        for word, value in self.stands_for.items():
            text = text.replace(word, value)
        return text

    def environment(self):
        return {**os.environ, **self.variables, **self.address, "IPPCTL_CONFIG": "/dev/null", "LC_ALL": "C",
                "PATH": f"{self.work}/bin:{_postgres_programs()}:{os.environ['PATH']}", "PYTHONDONTWRITEBYTECODE": "1",
                "STAND_IN_CLUSTER": str(self.work / "cluster.json"),
                "STAND_IN_GATEWAY": str(self.work / "bin/ipp-gateway"), "PGPASSWORD": PASSWORD, "PGHOST": str(self.postgres)}

    def tried(self, text, folder=".", user="", **more):
        """Runs it in a shell, as it stands on the page, and keeps the variables that it sets."""
        kept = self.work / "variables"
        kept.touch()
        kept.chmod(0o666)
        script = f"set -euo pipefail -a\n{self.here(text)}\nset +a\nenv -0 >{kept}\n"
        before = self.environment()
        command = ["bash", "-c", script]
        if user == "postgres":
            before.update(PGUSER="postgres", PGDATABASE="postgres")
            command = self.as_postgres() + command
        done = subprocess.run(command, cwd=self.work / folder, env={**before, **more}, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=SECONDS, check=False)
        if done.returncode == 0:
            now = dict(pair.split("=", 1) for pair in kept.read_text().split("\0") if pair)
            self.variables.update({name: value for name, value in now.items()
                                   if name not in before and name not in ("_", "SHLVL", "PWD", "OLDPWD") and name not in more})
        return done

    def shell(self, text, folder=".", **more):
        done = self.tried(text, folder, **more)
        need(done.returncode == 0, f"{text}ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout

    @staticmethod
    def as_postgres():
        """PostgreSQL does not run as root."""
        return ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"] if os.getuid() == 0 else []

    def start_postgres(self):
        """A server with the superuser postgres; ipp needs its password."""
        (self.postgres / "backups").mkdir(parents=True)
        if os.getuid() == 0:
            for path in (self.postgres, self.postgres / "backups"):
                shutil.chown(path, "postgres", "postgres")
        self.shell("initdb -D $DATA --no-sync --auth=trust -U postgres", user="postgres", DATA=f"{self.postgres}/data")
        settings = f"unix_socket_directories = '{self.postgres}'\nlisten_addresses = ''\nfsync = off\n"
        self.shell("printf %s \"$SETTINGS\" >>$DATA/postgresql.conf; sed -i '1i local all ipp scram-sha-256' $DATA/pg_hba.conf\n"
                   "pg_ctl start -s -w -D $DATA -l $DATA/../backups/server.log", user="postgres",
                   DATA=f"{self.postgres}/data", SETTINGS=settings)

    def stop_postgres(self):
        if (self.postgres / "data/postmaster.pid").exists():
            self.tried("pg_ctl stop -s -m immediate -D $DATA", user="postgres", DATA=f"{self.postgres}/data")

    def serve(self, *arguments, block="", **more):
        """The gateway, by its arguments or by a block whose last line starts it; ippctl asks it from now on."""
        command = ["ipp-gateway", *map(str, arguments)]
        if block:
            *lines, last = self.here(block).strip().split("\n")
            command = ["bash", "-euc", "\n".join([*lines, "exec " + last])]
        started = self.bed.start(command, kind=ipp_kit.Gateway, cwd=self.work, env={**self.environment(), **more})
        self.address = {"IPPCTL_ADDRESS": started.grpc, "IPPCTL_SIMULATOR": f"http://{self.bed.simulator.address}"}
        self.stands_for["127.0.0.1:9090"] = started.admin
        self.stands_for["https://YOUR-HOST"] = f"http://{started.webhooks}"
        return started

    def pods(self):
        """The pods that the stand-in's cluster has in the end: gateways with its configuration, Secrets and arguments, on
        ports of their own."""
        cluster = self.cluster()
        return [self.pod(cluster, number) for number in range(cluster.replicas())]

    def pod(self, cluster, number, *flags):
        root = self.work / f"pod-{self.bed.started}-{number}"
        root.mkdir()
        self.bed.write("token", self.variables["TOKEN"])
        started = self.serve(*cluster.pod(root), *flags, IPP_LISTEN="127.0.0.1:0", IPP_WEBHOOKS__LISTEN="127.0.0.1:0",
                             IPP_ADMIN__LISTEN="127.0.0.1:0")
        self.address.update(IPPCTL_CA_FILE=str(self.work / "tls.crt"), IPPCTL_TOKEN_FILE=str(self.work / "token"))
        return started

    def cluster(self):
        return stand_in.Cluster(self.work / "cluster.json")

    def stop_gateways(self):
        for process in [one for one in self.bed.running if isinstance(one, ipp_kit.Gateway)]:
            need(self.bed.stop(process) == 0, f"a gateway did not drain:\n{process.said()}")

    def create(self, request):
        """A session by ippctl; the same one for the same number."""
        done = self.shell(f"ippctl sessions create --device {self.variables['DEVICE']} --amount 100 --currency SEK "
                          f"--request-id {str(request) * 8}-1111-4111-8111-111111111111 -o 'jsonpath={{.session.session_id}}'")
        return done.strip()
