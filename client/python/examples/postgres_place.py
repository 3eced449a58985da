"""A place on PostgreSQL: the cursor moves in the transaction of what the handler writes.

    place = PostgresPlace(psycopg.connect("dbname=shop"), "bookkeeping")
    client.follow_into(place, request, keep)   # keep(connection, event) writes with that connection, and does not commit
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

TABLE = "CREATE TABLE IF NOT EXISTS ipp_place (name text PRIMARY KEY, cursor text NOT NULL)"
LOAD = "SELECT cursor FROM ipp_place WHERE name = %s"
STORE = "INSERT INTO ipp_place VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET cursor = excluded.cursor"


class Connection(Protocol):
    """Of psycopg, psycopg2, pg8000, or any other driver of the DB-API. Without autocommit."""

    def cursor(self) -> Any: ...

    def commit(self) -> Any: ...

    def rollback(self) -> Any: ...


class PostgresPlace:
    """One row of a table, by name. The handler gets the connection."""

    def __init__(self, connection: Connection, name: str) -> None:
        self._connection, self._name = connection, name
        with self.transaction() as transaction:
            transaction.cursor().execute(TABLE)

    def load(self) -> str | None:
        with self.transaction() as transaction:
            rows = transaction.cursor()
            rows.execute(LOAD, (self._name,))
            row = rows.fetchone()
        return str(row[0]) if row else None

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        try:
            yield self._connection
        except BaseException:
            self._connection.rollback()
            raise
        self._connection.commit()

    def store(self, transaction: Connection, cursor: str) -> None:
        transaction.cursor().execute(STORE, (self._name, cursor))
