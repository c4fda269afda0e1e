"""What the tool says about each service: a table for people, JSON for scripts."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import TextIO


@dataclass
class Row:
    """What the tool knows about one service. Texts that come from the service are not escaped here."""

    service: str  # the path in the folder that was searched
    path: str = ""  # absolute
    remote: str = ""  # its address, without a password
    base: str = ""  # the branch that is checked out, "" when HEAD is detached
    version: str = ""  # of the template, when the service was created or last updated
    target: str = ""  # the version to update to
    behind: int | None = None  # number of releases
    state: str = "failed"  # up to date, update, conflict, broken, unlinked, link, linked or failed
    outcome: str = ""  # the state as a sentence for people
    changed: list[str] = field(default_factory=list)  # files that the update changes
    edited: list[str] = field(default_factory=list)  # files that the update changes and the team has edited
    left_out: list[str] = field(default_factory=list)  # files that the update changes and the team has deleted
    conflicts: list[str] = field(default_factory=list)  # files in which both changed the same lines
    differs: list[str] = field(default_factory=list)  # link: files that differ from those that the answers make
    answers: dict[str, str] = field(default_factory=dict)  # link: what the service was made with
    branch: str = ""  # the branch with the update, if there is one
    branch_state: str = ""  # new, made anew, up to date, stale, edited or merged
    commit: str = ""  # the last one of that branch
    run: str = ""  # how the command of --run ended
    pushed: bool = False
    request: str = ""  # the address of the pull or merge request
    ok: bool = False  # False if a person has to look at the service

    def fail(self, reason: str) -> None:
        self.state, self.ok = "failed", False
        self.add(reason)

    def add(self, text: str) -> None:
        """Add to the outcome."""
        self.outcome = f"{self.outcome}; {text}" if self.outcome else text


def shown(text: str) -> str:
    """Return a text on one line, with all that is not printable escaped: it may come from anybody."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def table(rows: list[Row], of_links: bool) -> str:
    """Return the rows as a table, of links or of updates."""
    names = ["differs"] if of_links else ["behind", "changes", "edited", "left out"]
    cells = [["service", "version", *names, "outcome"]]
    for row in rows:
        behind = "" if row.behind is None else str(row.behind)
        files = [row.differs] if of_links else [row.changed, row.edited, row.left_out]
        counts = [str(len(names)) if names else "" for names in files]
        cells.append([shown(row.service), row.version, *([] if of_links else [behind]), *counts, shown(row.outcome)])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in cells)


def as_json(rows: list[Row]) -> str:
    """Return the rows as a JSON array. Bytes of a path that are not UTF-8 are surrogates, as in os.fsdecode."""
    return json.dumps([asdict(row) for row in rows], indent=2)


def with_progress(rows: Iterable[Row], total: int, terminal: TextIO = sys.stderr) -> Iterator[Row]:
    """Yield the rows, and count them on one line of the terminal, if there is one."""
    if not terminal.isatty():
        yield from rows
        return
    try:
        terminal.write(f"\r0/{total}")
        terminal.flush()
        for number, row in enumerate(rows, start=1):
            terminal.write(f"\r\x1b[K{number}/{total} {shown(row.service)[:60]}")
            terminal.flush()
            yield row
    finally:
        terminal.write("\r\x1b[K")
        terminal.flush()
