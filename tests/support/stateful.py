"""A service with a database of its own."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support import raw_http
from tests.support.baking import BakedService
from tests.support.postgres import Postgres
from tests.support.prometheus import wait_until
from tests.support.team_edits import write
from tools.running_service import RunningService

NOTES = "/v1/notes"
OTHERS = "pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
SLEEPS = "query LIKE '%pg_sleep(3600)'"
names = itertools.count()


@dataclass(frozen=True)
class Migrated:
    """The binary of a service, and a database for it."""

    binary: Path
    server: Postgres
    name: str

    @property
    def url(self) -> str:
        return self.server.url(self.name)

    def running(self, **variables: str) -> RunningService:
        """Return the service, which starts. It uses the database unless the variables name another."""
        return RunningService(self.binary, **{"DATABASE_URL": self.url, **variables})

    def query(self, sql: str) -> str:
        return self.server.query(sql, self.name)

    @contextmanager
    def holding(self, sql: str) -> Iterator[None]:
        """Run statements in a transaction of somebody else, which stays open."""
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(self.query, f"BEGIN; {sql}; SELECT pg_sleep(3600)")
            wait_until(
                lambda: self.query(f"SELECT count(*) FROM {OTHERS} AND {SLEEPS}") == "1", lambda: "nobody sleeps"
            )
            try:
                yield
            finally:
                self.query(f"SELECT pg_terminate_backend(pid) FROM {OTHERS} AND {SLEEPS}")
                running.exception()

    def migrate(self, *words: str, status: int = 0) -> str:
        """Run `bin/service migrate` and return what it printed."""
        command = [str(self.binary), "migrate", *words]
        done = subprocess.run(command, env={"DATABASE_URL": self.url}, capture_output=True, text=True)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr


def new_database(binary: Path, server: Postgres) -> Migrated:
    """Create a database on the server, with the newest schema of the service."""
    name = f"test_{os.getpid()}_{next(names)}"
    server.query(f"CREATE DATABASE {name}")
    migrated = Migrated(binary, server, name)
    migrated.migrate()
    return migrated


def wait_until_ready(service: RunningService, seconds: float = 10) -> None:
    wait_until(lambda: ready(service).status == 200, lambda: ready(service).body, seconds)


def ready(service: RunningService) -> raw_http.Answer:
    return raw_http.ask(service.address(), "GET", "/readyz")


def post(service: RunningService, title: str, *headers: str, text: str = "") -> raw_http.Answer:
    body = json.dumps({"title": title, "text": text})
    return raw_http.ask(service.address(), "POST", NOTES, body, *headers)


def get(service: RunningService, path: str = NOTES) -> raw_http.Answer:
    return raw_http.ask(service.address(), "GET", path)


def add_migration(service: BakedService) -> None:
    """Add a column to the notes. The service of before does not know it."""
    write(service.path / "internal/queries/migrations/00002_colour.sql", MIGRATION)


MIGRATION = """-- +goose Up
ALTER TABLE notes ADD COLUMN colour text;

-- +goose Down
ALTER TABLE notes DROP COLUMN colour;
"""
