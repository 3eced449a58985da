#!/usr/bin/env python3
"""place_test.py [-- COMMAND]: a language's example of a place on a real PostgreSQL: client/python/examples/postgres_place.py,
or that of COMMAND, a program of which each run is one life. The connection breaks, the handler fails in its transaction, the
program begins anew: every event is in the table once, and the cursor is that of the last one.

COMMAND follows the gateway at $GATEWAY into the database at $DATABASE (a URL), in the place `books`, and writes each event_id
into the table `books` in the place's transaction. It ends with 0 after e4; at the event $FAIL_AT its handler fails when it has
written, and the program ends with 3.
"""
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile

import ippclient
import psycopg
from kustom.ipp.v1.session_event_pb2 import START_POSITION_FROM_OLDEST, SubscribeSessionEventsRequest

import rules_test
import scripted_gateway
from scene_words import RESET, SILENT, event, heartbeat, started

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "client" / "python" / "examples"))
from postgres_place import PostgresPlace  # noqa: E402  pylint: disable=wrong-import-position

PATIENCE = 60  # seconds


class Broken(Exception):
    """What the handler fails with, after it has written."""


class Postgres:
    """A cluster of its own."""

    def __init__(self, folder):
        programs = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
        assert programs, "PostgreSQL is needed (Debian package postgresql)"
        self.programs, self.data = programs[-1], pathlib.Path(folder) / "pg"
        self.data.mkdir()
        # It does not run as root.
        self.user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.getuid() == 0 else []
        if self.user:
            pathlib.Path(folder).chmod(0o755)
            shutil.chown(self.data, "postgres", "postgres")
        self.do("initdb", f"--pgdata={self.data}", "--no-sync", "--no-locale", "--encoding=UTF8", "--auth=trust",
                "--username=postgres")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]

    def do(self, program, *arguments):
        subprocess.run([*self.user, self.programs / program, *arguments], check=True, timeout=PATIENCE, cwd="/",
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self):
        self.do("pg_ctl", "-D", self.data, "-w", "-o", f"-c listen_addresses=127.0.0.1 -c port={self.port} "
                "-c unix_socket_directories= -c fsync=off", "-l", self.data / "log", "start")
        return self

    def __exit__(self, *_):
        self.do("pg_ctl", "-D", self.data, "-m", "immediate", "stop")

    @property
    def url(self):
        return f"postgres://postgres@127.0.0.1:{self.port}/postgres?sslmode=disable"

    def connect(self):
        return psycopg.connect(self.url)


def run(command, gateway, postgres, fail_at=""):
    """One life of another language's program."""
    ended = subprocess.run(command, timeout=PATIENCE, check=False, env={
        **os.environ, "GATEWAY": gateway.address, "DATABASE": postgres.url, "FAIL_AT": fail_at})
    if ended.returncode == 3:
        raise Broken
    if ended.returncode != 0:
        sys.exit(f"FAILED  the program ended with {ended.returncode}")


def follow(gateway, postgres, fail_at=None):
    """One life of the program in Python: until e4, or until it fails."""
    stop = ippclient.Stop()

    def keep(connection, taken):
        connection.execute("INSERT INTO books VALUES (%s)", (taken.event_id,))
        if taken.event_id == fail_at:
            raise Broken
        if taken.event_id == "e4":
            stop.set()

    timing = ippclient.Timing(first_stream_pause=0.01, longest_stream_pause=0.05)
    request = SubscribeSessionEventsRequest(position=START_POSITION_FROM_OLDEST)
    with ippclient.Client(gateway.address, timing=timing) as client, postgres.connect() as connection:
        client.follow_into(PostgresPlace(connection, "books"), request, keep, stop=stop)


def main():
    command = sys.argv[2:]  # behind --

    def live(*arguments):
        if command:
            run(command, *arguments)
        else:
            follow(*arguments)

    with tempfile.TemporaryDirectory() as folder, Postgres(folder) as postgres, \
            scripted_gateway.playing(rules_test.METHODS) as gateway:
        with postgres.connect() as connection:
            connection.execute("CREATE TABLE books (event_id text PRIMARY KEY)")
        gateway.forget({"SubscribeSessionEvents": [
            [started("start"), event("e1"), heartbeat("beat"), {"end": True}], [RESET],
            [started("beat"), event("e2"), event("e3"), SILENT],
            [started("after-e2"), event("e3"), event("e4"), SILENT]]})
        try:
            live(gateway, postgres, "e3")
            sys.exit("FAILED  what the handler raises does not reach the program")
        except Broken:
            pass
        live(gateway, postgres)
        with postgres.connect() as connection:
            books = [row[0] for row in connection.execute("SELECT event_id FROM books ORDER BY event_id")]
            place = connection.execute("SELECT cursor FROM ipp_place").fetchall()
        asked = [request.after_cursor for request in gateway.requests("SubscribeSessionEvents")]
    expected = (["e1", "e2", "e3", "e4"], [("after-e4",)], ["", "beat", "beat", "after-e2"])
    if (books, place, asked) != expected:
        sys.exit(f"FAILED  {books}, {place}, {asked}")
    print("ok      a place on PostgreSQL")


if __name__ == "__main__":
    main()
