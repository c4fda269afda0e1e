"""Merge the template's changes with a team's, as git merges two branches: without a work tree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from fleet.git import output_of
from fleet.workspace import REGULAR, Entry, Workspace

BASE, OURS, THEIRS = "1", "2", "3"  # the stages of a file: https://git-scm.com/docs/git-merge-tree#OUTPUT


@dataclass(frozen=True)
class Sides:
    """The three trees of a merge."""

    base: str  # the service as the template made it
    ours: str  # the service as its team has it
    theirs: str  # the service as the template makes it now


@dataclass(frozen=True)
class Merged:
    """The result of a merge."""

    tree: str  # with marks in the files in conflict
    conflicts: list[str]
    left_out: list[str]  # files that the team has deleted and the template has changed


def merge(workspace: Workspace, sides: Sides, version: str) -> Merged:
    """Merge. What a team has deleted stays deleted, and files with CRLF stay so."""
    tree, stages = _merge(workspace, sides, version)
    left_out = sorted(name for name, found in stages.items() if found == {BASE, THEIRS})
    if left_out:
        sides = without(workspace, sides, left_out)
        tree, stages = _merge(workspace, sides, version)
    if with_crlf := _with_crlf(workspace, sides, stages):
        tree, stages = _merge(workspace, with_crlf, version)
    return Merged(tree, sorted(stages), left_out)


def _merge(workspace: Workspace, sides: Sides, version: str) -> tuple[str, dict[str, set[str]]]:
    """Return the merged tree, and for each file in conflict on which sides it is."""
    base = workspace.commit_for_merge(sides.base)
    workspace.name("service", workspace.commit_for_merge(sides.ours, base))
    workspace.name(f"template-{version}", workspace.commit_for_merge(sides.theirs, base))
    done = workspace.run("merge-tree", "--write-tree", "-z", "--messages", "service", f"template-{version}")
    listed, _, messages = output_of(done, 1).partition("\0\0")
    tree, *entries = listed.split("\0")
    stages: dict[str, set[str]] = {}
    for entry in filter(None, entries):
        facts, name = entry.split("\t", 1)
        stages.setdefault(name, set()).add(facts.split()[2])
    if done.status and not stages:
        stages = {name: set() for name in _named_in_conflicts(messages)}
    return tree, stages


def _named_in_conflicts(messages: str) -> Iterator[str]:
    """Yield the paths of conflicts that no file stands for, such as a folder that became two."""
    words = iter(messages.split("\0"))
    for count in filter(str.isdecimal, words):
        names = list(islice(words, int(count)))
        kind, _ = next(words), next(words)
        if kind.startswith("CONFLICT"):
            yield from names


def without(workspace: Workspace, sides: Sides, names: Iterable[str]) -> Sides:
    """Return the sides with some files taken from the template, so that only the team decides about them."""
    gone = dict.fromkeys(names)
    return Sides(workspace.edited(sides.base, gone), sides.ours, workspace.edited(sides.theirs, gone))


def _with_crlf(workspace: Workspace, sides: Sides, stages: dict[str, set[str]]) -> Sides | None:
    """Return the sides with CRLF in the template's files where the team's have it, or None if none has.

    Otherwise each line of such a file would be a conflict.
    """
    ours, base, theirs = (workspace.files(tree) if stages else {} for tree in (sides.ours, sides.base, sides.theirs))
    regular = [name for name in stages if name in ours and ours[name].mode in REGULAR]
    names = [name for name in regular if _has_crlf(workspace.read(ours[name].object))]
    if not names:
        return None
    return Sides(
        workspace.edited(sides.base, _converted(workspace, base, names)),
        sides.ours,
        workspace.edited(sides.theirs, _converted(workspace, theirs, names)),
    )


def _has_crlf(content: bytes) -> bool:
    return b"\r\n" in content and content.count(b"\r\n") == content.count(b"\n")


def _converted(workspace: Workspace, files: dict[str, Entry], names: list[str]) -> dict[str, Entry | None]:
    """Return those of the files that have these names, with CRLF."""
    return {
        name: Entry(files[name].mode, workspace.blob(workspace.read(files[name].object).replace(b"\n", b"\r\n")))
        for name in names
        if name in files
    }
