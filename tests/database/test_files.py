"""What the choice of a database adds, and that what is generated or said twice agrees."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.support.baking import BakedService
from tests.support.fixtures import Bake, Lint
from tests.support.repository import read
from tests.support.team_edits import write

MIGRATION = "internal/queries/migrations/00002_more.sql"


@pytest.mark.contract("a service without a database")
def test_without_a_database_nothing_speaks_of_one(default: BakedService) -> None:
    trace = re.compile(r"pgx|sqlc|goose|squawk|postgres|DATABASE_", re.IGNORECASE)
    assert [name for name in default.files() if name != "bin/service" and trace.search(default.read(name))] == []


def test_the_page_has_the_variables_with_their_defaults(bake: Bake) -> None:
    service = bake(database="postgres")
    settings = re.findall(r'\{"(DATABASE_\w+)", "(.*?)"', service.read("internal/config/database.go"))
    rows = re.findall(r"^\| `(DATABASE_\w+)` \| (?:`(.*?)` )?\|", service.read("docs/database.md"), re.MULTILINE)
    assert rows == settings


def test_one_version_of_squawk_lints_here_and_in_services(bake: Bake) -> None:
    (version,) = re.findall(r"squawk-cli==([\d.]+)", bake(database="postgres").read("Makefile"))
    assert f'"squawk-cli=={version}"' in read("pyproject.toml")


@pytest.mark.long
def test_the_generated_code_is_current(stateful: BakedService, tmp_path: Path) -> None:
    service = BakedService(Path(shutil.copytree(stateful.path, tmp_path / "my-service")))
    before = {name: service.read(name) for name in service.files() if name.startswith("internal/queries/")}
    service.make("sqlc")
    assert {name: service.read(name) for name in before} == before


@pytest.mark.long
def test_the_example_is_deleted_as_the_page_says(
    stateful: BakedService, tmp_path: Path, lint: Lint, database_url: None
) -> None:
    service = BakedService(Path(shutil.copytree(stateful.path, tmp_path / "my-service")))
    write(service.path / "internal/queries/sql/accounts.sql", QUERY)
    write(service.path / MIGRATION, OWN_TABLE)
    for file in [*service.path.glob("internal/api/notes*"), service.path / "internal/queries/sql/notes.sql"]:
        file.unlink()
    service.make("sqlc")
    service.make("test")
    assert "0 issues" in lint(service)


QUERY = """-- name: GetAccount :one
SELECT * FROM accounts WHERE id = $1;
"""

OWN_TABLE = """-- +goose Up
CREATE TABLE accounts (id uuid PRIMARY KEY, parent uuid, closed_at timestamptz);
-- squawk-ignore ban-drop-table
DROP TABLE notes;

-- +goose Down
DROP TABLE accounts;
"""


@pytest.mark.long
@pytest.mark.parametrize(
    ("rule", "sql"),
    [
        ("require-concurrent-index-creation", "CREATE INDEX notes_text ON notes (text);"),
        ("adding-required-field", "ALTER TABLE notes ADD COLUMN colour text NOT NULL;"),
        ("changing-column-type", "ALTER TABLE notes ALTER COLUMN title TYPE varchar(10);"),
        ("constraint-missing-not-valid", "ALTER TABLE notes ADD CONSTRAINT c CHECK (title <> '');"),
    ],
)
def test_a_migration_that_locks_a_table_for_long_is_found(bake: Bake, lint: Lint, rule: str, sql: str) -> None:
    service = bake(database="postgres")
    write(service.path / MIGRATION, f"-- +goose Up\n{sql}\n\n-- +goose Down\nDROP INDEX notes_text;\n")
    with pytest.raises(AssertionError, match=rule):
        lint(service)
