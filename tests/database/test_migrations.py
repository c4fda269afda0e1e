"""`bin/service migrate`, and how versions of the schema and of the service go together."""

from __future__ import annotations

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.baking import BakedService
from tests.support.postgres import Postgres
from tests.support.stateful import Migrated, add_migration, get, post, wait_until_ready
from tests.support.team_edits import write

pytestmark = pytest.mark.long


@pytest.fixture
def empty(stateful: BakedService, postgres: Postgres, tmp_path: Path) -> Migrated:
    """A database without a schema."""
    name = f"empty_{tmp_path.name}".replace("-", "_").lower()
    postgres.query(f'CREATE DATABASE "{name}"')
    return Migrated(stateful.path / "bin/service", postgres, name)


@pytest.fixture
def newer(stateful: BakedService, tmp_path: Path) -> Path:
    """The binary of the service with one more migration."""
    service = BakedService(Path(shutil.copytree(stateful.path, tmp_path / "newer")))
    add_migration(service)
    service.make("build")
    return service.path / "bin/service"


@pytest.mark.contract("`bin/service migrate`")
def test_ten_at_once_do_the_work_once(empty: Migrated) -> None:
    with ThreadPoolExecutor(10) as pool:
        told = "".join(pool.map(lambda _: empty.migrate(), range(10)))
    assert told.count("applied 00001_notes.sql") == 1
    assert empty.query("SELECT count(*) FROM goose_db_version WHERE version_id = 1") == "1"


@pytest.mark.contract("`bin/service migrate`")
def test_the_status_lists_what_was_applied_and_down_takes_one_back(empty: Migrated) -> None:
    assert "pending  00001_notes.sql" in empty.migrate("status")
    empty.migrate()
    assert "applied  00001_notes.sql" in empty.migrate("status")
    assert "type down --yes" in empty.migrate("down", status=1)
    assert "took back 00001_notes.sql" in empty.migrate("down", "--yes")
    assert "pending  00001_notes.sql" in empty.migrate("status")
    assert "must be nothing, status or down --yes" in empty.migrate("sideways", status=1)


@pytest.mark.contract("`bin/service migrate`")
def test_the_service_does_not_migrate_by_itself(empty: Migrated) -> None:
    with empty.running() as service:
        time.sleep(1)
        assert get(service, "/readyz").status == 503
        assert empty.query("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == "0"
        empty.migrate()
        wait_until_ready(service, seconds=5)


@pytest.mark.contract("`bin/service migrate`")
def test_the_version_before_runs_on_the_newest_schema(migrated: Migrated, newer: Path) -> None:
    with migrated.running() as service:
        wait_until_ready(service)
        post(service, "before")
        after = Migrated(newer, migrated.server, migrated.name)
        with after.running() as too_new:
            time.sleep(1)
            assert get(too_new, "/readyz").status == 503
            after.migrate()
            wait_until_ready(too_new, seconds=5)
            assert post(service, "old").status == post(too_new, "new").status == 201
            assert len(get(service).json()["notes"]) == len(get(too_new).json()["notes"]) == 3
    with migrated.running() as service:  # an old copy that starts late
        wait_until_ready(service)


@pytest.mark.contract("`bin/service migrate`")
def test_a_migration_that_waits_for_a_lock_lets_others_through(migrated: Migrated, newer: Path) -> None:
    """Somebody reads the table in a long transaction; each query behind the migration would wait as well."""
    with migrated.running() as service, ThreadPoolExecutor(2) as pool:
        wait_until_ready(service)
        reading = pool.submit(migrated.query, "BEGIN; SELECT count(*) FROM notes; SELECT pg_sleep(8); COMMIT")
        time.sleep(0.5)
        migrating = pool.submit(Migrated(newer, migrated.server, migrated.name).migrate)
        slowest = 0.0
        while not reading.done():
            begin = time.monotonic()
            assert get(service).status == 200
            slowest = max(slowest, time.monotonic() - begin)
            time.sleep(0.05)
        assert slowest < 2
        told = migrating.result()
        assert "waiting: another transaction has the lock of a table" in told
        assert "applied 00002_colour.sql" in told


def test_an_index_can_be_made_while_others_wait_to_migrate(
    migrated: Migrated, stateful: BakedService, tmp_path: Path
) -> None:
    newer = indexed(migrated, stateful, tmp_path)
    with ThreadPoolExecutor(5) as pool:
        told = "".join(pool.map(lambda _: newer.migrate(), range(5)))
    assert told.count("applied 00002_index.sql") == 1


def indexed(migrated: Migrated, stateful: BakedService, folder: Path) -> Migrated:
    """The service with one more migration, which makes an index."""
    service = BakedService(Path(shutil.copytree(stateful.path, folder / "indexed")))
    index = "CREATE INDEX CONCURRENTLY IF NOT EXISTS notes_text ON notes (text);"
    write(
        service.path / "internal/queries/migrations/00002_index.sql",
        f"-- +goose NO TRANSACTION\n-- +goose Up\n{index}\n",
    )
    service.make("build")
    return Migrated(service.path / "bin/service", migrated.server, migrated.name)


@pytest.mark.contract("`bin/service migrate`")
def test_an_index_waits_for_the_transactions_of_others(
    migrated: Migrated, stateful: BakedService, tmp_path: Path
) -> None:
    newer = indexed(migrated, stateful, tmp_path)
    with ThreadPoolExecutor(1) as pool:
        with migrated.holding("SELECT count(*) FROM notes"):
            migrating = pool.submit(newer.migrate)
            time.sleep(3)
            assert not migrating.done()
        assert "applied 00002_index.sql" in migrating.result()
    assert migrated.query("SELECT indisvalid FROM pg_index WHERE indexrelid = 'notes_text'::regclass") == "t"


@pytest.mark.contract("`bin/service migrate`")
def test_an_index_whose_creation_failed_is_not_taken_for_a_good_one(
    migrated: Migrated, stateful: BakedService, tmp_path: Path
) -> None:
    newer = indexed(migrated, stateful, tmp_path)
    migrated.query("CREATE INDEX notes_text ON notes (text)")
    migrated.query("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'notes_text'::regclass")
    assert "type DROP INDEX CONCURRENTLY notes_text" in newer.migrate(status=1)
    migrated.query("DROP INDEX CONCURRENTLY notes_text")
    assert "applied 00002_index.sql" in newer.migrate()


@pytest.mark.contract("a dump")
def test_a_dump_brings_back_the_notes_the_keys_and_the_cursors(migrated: Migrated) -> None:
    server, restored = migrated.server, f"{migrated.name}_restored"
    with migrated.running() as service:
        wait_until_ready(service)
        for title in ("a", "b", "c"):
            created = post(service, title, f"Idempotency-Key: {title}")
        cursor = get(service, "/v1/notes?limit=1").json()["next_cursor"]
    dump = str(server.folder / f"{restored}.dump")
    server.run("pg_dump", "--format=custom", f"--file={dump}", migrated.url)
    server.query(f"CREATE DATABASE {restored}")
    server.run("pg_restore", "--no-owner", f"--dbname={server.url(restored)}", dump)
    with Migrated(migrated.binary, server, restored).running() as service:
        wait_until_ready(service)
        page = get(service, f"/v1/notes?cursor={cursor}").json()
        assert [note["title"] for note in page["notes"]] == ["b", "a"]
        assert post(service, "c", "Idempotency-Key: c").body == created.body
