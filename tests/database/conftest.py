"""A service with a database, and the servers that it uses."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.baking import BakedService, bake_into
from tests.support.fixtures import Once
from tests.support.machine import skip
from tests.support.postgres import Postgres
from tests.support.stateful import Migrated, new_database


@pytest.fixture(scope="session")
def stateful(once: Once, modules: None) -> BakedService:
    """A service with a database, built."""
    return BakedService(once("stateful", lambda folder: bake_into(folder, database="postgres").build()) / "my-service")


@pytest.fixture
def migrated(stateful: BakedService, postgres: Postgres) -> Migrated:
    """A new database with the newest schema, on a server that no test stops."""
    return new_database(stateful.path / "bin/service", postgres)


@pytest.fixture
def own_server(stateful: BakedService, postgres_programs: None) -> Iterator[Migrated]:
    """A new database on a server of the test's own."""
    with Postgres() as server:
        yield new_database(stateful.path / "bin/service", server)


@pytest.fixture
def pgbouncer() -> None:
    """PgBouncer."""
    if not shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin"):
        skip("there is no pgbouncer command")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB, which only root can mount."""
    mounted = Path(tempfile.mkdtemp(prefix="small-"))
    options = ["-o", f"size=1m,uid={pwd.getpwnam('nobody').pw_uid},mode=700"]
    if subprocess.run(["mount", "-t", "tmpfs", *options, "tmpfs", mounted], capture_output=True).returncode:
        mounted.rmdir()
        pytest.skip("a full disk needs root, who may mount a small one")
    try:
        yield mounted
    finally:
        subprocess.run(["umount", "--lazy", mounted], check=True)
        mounted.rmdir()
