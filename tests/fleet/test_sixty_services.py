"""Over sixty services, in the states that teams and git bring them into, end as this table says."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.fleets import Fleet
from tests.support.machine import go_environment
from tests.support.repository import commit, git, init_repository
from tests.support.team_edits import EDITS, all_edits, write

pytestmark = pytest.mark.long

# What each service ends as when it was made from 9.0.0, 9.1.0 and 9.2.0, the newest release. 9.1.0 brings a package, a
# setting and their lines in the documents. 9.2.0 brings another first and another last line in the template's files.
# "broken" is a result that merges and does not build: the new package imports one that the team has moved.
TABLE = """
untouched              update                           update                           up to date
own routes             update                           update                           up to date
own package            update                           update                           up to date
own ignored files      update                           update                           up to date
own make target        update                           update                           up to date
own state              update                           update                           up to date
own settings           update                           update                           up to date
own command            update                           update                           up to date
own dependency         update                           update                           up to date
own exception          update                           update                           up to date
own words              update                           update                           up to date
own rule               update                           update                           up to date
own image              update                           update                           up to date
own product            update                           update                           up to date
deleted example        update                           update                           up to date
renamed module         update                           update                           up to date
all edits              update                           update                           up to date
moved packages         broken                           update                           up to date
same line              conflict in AGENTS.md            conflict in AGENTS.md            up to date
shallow                update                           update                           up to date
squashed               update                           update                           up to date
CRLF                   update                           update                           up to date
submodule              update                           update                           up to date
worktree               update                           update                           up to date
detached               update                           update                           up to date
other default branch   update                           update                           up to date
"""
LATIN_1 = "Grüße\n".encode("latin-1")

Rework = Callable[[Path], Path]  # of a service; returns where it is afterwards


def untouched(service: Path) -> Path:
    return service


def moved_packages(service: Path) -> Path:
    """Two packages get other folders, and files that are not UTF-8 come in."""
    git(service, "mv", "internal/config", "internal/settings")
    git(service, "mv", "internal/health", "internal/probes")
    for file in service.rglob("*.go"):
        text = file.read_text().replace("/internal/config", "/internal/settings")
        file.write_text(text.replace("/internal/health", "/internal/probes"))
    (service / "latin-1.txt").write_bytes(LATIN_1)
    commit(service, "Our own order")
    return service


def same_line(service: Path) -> Path:
    write(service / "AGENTS.md", "Ours.\n")
    commit(service, "Our own words")
    return service


def shallow(service: Path) -> Path:
    for number in range(3):
        write(service / "own.txt", f"{number}\n")
        commit(service, "Ours")
    clone = service.with_name(f"{service.name} clone")
    git(service.parent, "clone", "-q", "--depth", "1", f"file://{service}", str(clone))
    shutil.rmtree(service)
    return clone


def squashed(service: Path) -> Path:
    """The first commit has the files as the team has them."""
    all_edits(service)
    shutil.rmtree(service / ".git")
    init_repository(service)
    return service


def crlf(service: Path) -> Path:
    write(service / ".gitattributes", "* -text\n")
    for name in ("README.md", "Makefile", "internal/config/config.go"):
        (service / name).write_bytes((service / name).read_bytes().replace(b"\n", b"\r\n"))
    commit(service, "Windows")
    return service


def submodule(service: Path) -> Path:
    """The service is a submodule, and has one."""
    whole = service.with_name(f"{service.name} whole")
    whole.mkdir()
    init_repository(whole)
    allow = ["-c", "protocol.file.allow=always"]
    library = whole.parent.parent / "library"
    if not library.exists():
        write(library / "a.txt", "A.\n")
        init_repository(library)
    git(service, *allow, "submodule", "--quiet", "add", str(library), "third party/library")
    commit(service, "A library")
    git(whole, *allow, "submodule", "--quiet", "add", str(service), "services/ours")
    commit(whole, "A service")
    shutil.rmtree(service)
    return whole / "services/ours"


def worktree(service: Path) -> Path:
    """The main work tree lies elsewhere."""
    main = service.parent.parent / f"main of {service.name}"
    service.rename(main)
    git(main, "worktree", "add", "-q", "-b", "ours", str(service))
    return service


def detached(service: Path) -> Path:
    git(service, "switch", "-q", "--detach")
    return service


def other_default_branch(service: Path) -> Path:
    git(service, "branch", "-q", "-m", "trunk")
    return service


def edited(change: Callable[[Path], None]) -> Rework:
    def rework(service: Path) -> Path:
        change(service)
        commit(service, "What the team did")
        return service

    return rework


REWORKS: dict[str, Rework] = {
    "untouched": untouched,
    **{name: edited(change) for name, change in EDITS.items()},
    "all edits": edited(all_edits),
    "moved packages": moved_packages,
    "same line": same_line,
    "shallow": shallow,
    "squashed": squashed,
    "CRLF": crlf,
    "submodule": submodule,
    "worktree": worktree,
    "detached": detached,
    "other default branch": other_default_branch,
}


def ending(row: dict[str, Any]) -> str:
    """Return a row in the words of the table."""
    words = f"conflict in {', '.join(row['conflicts'])}" if row["conflicts"] else row["state"]
    return f"{words}, left out {len(row['left_out'])}" if row["left_out"] else words


def test_they_end_as_the_table_says_and_what_is_updated_builds(fleet: Fleet, made: Path, tmp_path: Path) -> None:
    table = {
        line[:23].strip(): [line[23:56].strip(), line[56:89].strip(), line[89:]] for line in TABLE.splitlines()[1:]
    }
    places = {}
    for name, rework in REWORKS.items():
        for version in ("9.0.0", "9.1.0", "9.2.0"):
            copy = Path(shutil.copytree(made / version, tmp_path / f"fleet/{name} {version}"))
            places[str(rework(copy).relative_to(tmp_path / "fleet"))] = (name, version)
    rows = fleet.rows(tmp_path / "fleet", "--branch", "--run", "go vet ./...", **go_environment())
    found: dict[str, list[str]] = {name: [] for name in REWORKS}
    for place, (name, _) in places.items():
        found[name].append(ending(rows[place]))
    assert found == table
    assert len(rows) == len(places) > 60
    for row in rows.values():
        assert bool(row["branch"]) == (row["state"] == "update"), row
