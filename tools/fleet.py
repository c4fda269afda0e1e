"""tools/fleet: how far each service of a folder is behind the template, and the branches that bring it up to date.

Each service is updated by cruft in a git worktree of its own, aside: its files, its index and its branches stay as they
are, but for the new branch where one is asked for and nothing is in conflict. What a service has in its repository is
not trusted: it comes from many hands.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path, PurePath
from typing import Any

from tools import versions
from tools.versions import IN_ENGLISH, SECONDS, SERVICE, TEMPLATE, Version, git

CRUFT = Path(sys.executable).parent / "cruft"

# What a service or a user has configured for people at work: hooks and watchers do not run, diffs are as cruft needs.
ASIDE = {"core.hooksPath": os.devnull, "core.fsmonitor": "false", "diff.context": "3"}

State = dict[str, Any]  # what .cruft.json says


@dataclass
class Row:
    """What is known of one service."""

    service: str
    version: str = ""  # that it was made with, or last updated to
    behind: int | None = None  # releases
    outcome: str = ""  # in words, for people
    changed: list[str] = field(default_factory=list)  # files that the update changes
    edited: list[str] = field(default_factory=list)  # those among them that the team has changed too
    left_out: list[str] = field(default_factory=list)  # that the template changes and the team has deleted or moved
    conflicts: list[str] = field(default_factory=list)  # in which both changed the same lines
    branch: str = ""  # that has the update
    ok: bool = True  # nobody has to look


class NoUpdateError(Exception):
    """Why a service is not updated, for its row."""


@dataclass(frozen=True)
class Target:
    """The commit of the template that services are brought to, what it says of itself, and the releases there are."""

    commit: str
    origin: versions.Origin
    releases: dict[Version, str]

    def __str__(self) -> str:
        """Return the version if it was released with this commit, else the beginning of its hash."""
        version = self.origin.version
        return str(version) if self.releases.get(version) == self.commit else self.commit[:12]

    def behind(self, version: Version) -> int:
        """Return how many releases have come since a version."""
        return sum(version < release <= self.origin.version for release in self.releases)

    def has_news_for(self, commit: str) -> bool:
        """Report whether services get something else than from a commit, and that commit is not a later one."""
        if not git(TEMPLATE, "rev-list", "-1", self.commit, f"^{commit}"):
            return False
        return bool(git(TEMPLATE, "diff", "--name-only", commit, self.commit, "--", *versions.PARTS))

    def changes_since(self, commit: str) -> list[str]:
        """Return the files that the template changed, by their names in a service."""
        changed = ["diff", "--name-only", "-z", "--no-renames", "--diff-filter=M"]
        names = git(TEMPLATE, *changed, commit, self.commit, "--", SERVICE).split("\0")
        return [name.removeprefix(f"{SERVICE}/") for name in names if name]


def target(wanted: str | None) -> Target:
    """Return the release or commit that is wanted, by default the newest release; end where there is none."""
    versions.refuse_shallow(TEMPLATE)
    releases = versions.releases(TEMPLATE)
    names = {str(version): commit for version, commit in releases.items()}
    if not wanted and not names:
        sys.exit("This clone of the template has no release yet. To look at a commit: --to HEAD")
    name = wanted or list(names)[-1]
    try:
        commit = (
            names.get(name) or git(TEMPLATE, "rev-parse", "--verify", "--end-of-options", f"{name}^{{commit}}").strip()
        )
        return Target(commit, versions.origin_at(TEMPLATE, commit), releases)
    except subprocess.CalledProcessError:
        sys.exit(f"{name!r} is no release and no commit. The releases are: {', '.join(names) or 'none yet'}")


def services(folder: Path) -> list[Path]:
    """Return the services in a folder, however deep. None is looked for within a service, or in hidden folders."""
    found = []
    for path, names, _ in os.walk(folder):
        if is_service(Path(path)):
            found.append(Path(path))
            names.clear()
        names[:] = sorted(name for name in names if not name.startswith("."))
    return found or sys.exit(f"{folder} has no services: there is no .template in it, nor in a folder in it.")


def is_service(path: Path) -> bool:
    """Report whether a folder says that it follows this template; cruft's own file may be of another one."""
    try:
        return (path / ".template").is_file() or bool(read_state((path / ".cruft.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, NoUpdateError):
        return False


def report(service: Path, folder: Path, target: Target, with_branch: bool) -> Row:
    """Return the row of a service. Whatever goes wrong with it stands there, and stops no other."""
    row = Row(str(service.relative_to(folder)) if service != folder else service.name)
    try:
        fill(row, service, target, with_branch)
    except NoUpdateError as reason:
        row.outcome, row.ok = str(reason), False
    except subprocess.CalledProcessError as failure:
        row.outcome, row.ok = f"failed: {last_line(failure.stderr)}", False
    except Exception as failure:
        row.outcome, row.ok = f"failed: {type(failure).__name__}: {failure}", False
    return row


def last_line(text: str) -> str:
    """Return the last line with words in it, without the box that cruft draws around a message."""
    lines = [line.strip(" │╰╯╭╮─") for line in text.splitlines()]
    return next((line for line in reversed(lines) if line), "no reason given")


def fill(row: Row, service: Path, target: Target, with_branch: bool) -> None:
    """Try the update of a service and note what came of it."""
    state = linked(row, service, target)
    if not target.has_news_for(state["commit"]):
        row.outcome = "up to date"
        return
    with worktree(service) as copy:
        as_made = bake(copy, state)
        here = {name for name in as_made if (copy / name).exists()}
        edited = {name for name in here if (copy / name).read_bytes() != as_made[name]}
        row.left_out = [name for name in target.changes_since(state["commit"]) if name in as_made.keys() - here]
        row.conflicts = update(copy, state, target)
        row.changed = changed_files(copy)
        row.edited = sorted(edited.intersection(row.changed).union(row.conflicts))
        if row.conflicts:
            raise NoUpdateError(f"conflict in {', '.join(row.conflicts)}")
        row.outcome = "updates without conflict"
        if with_branch:
            row.branch = branch_name(service, target)
            row.outcome += f"; branch {row.branch} {make_branch(row, service, copy, target)}"


def linked(row: Row, service: Path, target: Target) -> State:
    """Return what a service has committed of cruft's file, and note its version."""
    if ask(service, "ls-files", ".cruft.json"):
        state = read_state(ask(service, "show", "HEAD:./.cruft.json"))
        version = versions.origin_at(TEMPLATE, state["commit"]).version
        row.version, row.behind = str(version), target.behind(version)
        return state
    version = versions.origin(ask(service, "show", "HEAD:./.template")).version
    row.version, row.behind = str(version), target.behind(version)
    is_there = (service / ".cruft.json").exists()
    raise NoUpdateError("its .cruft.json is not committed" if is_there else "not linked: its README says how")


def read_state(text: str) -> State:
    """Return what cruft's file says, if it is of this template and has nothing in it that would do harm here.

    cruft runs hooks out of the "directory" that it names, and deletes what it is told to "skip", wherever that is.
    """
    try:
        state: State = json.loads(text)
        commit, directory, skipped = str(state["commit"]), state.get("directory"), state.get("skip") or []
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise NoUpdateError("its .cruft.json is broken: git has an older one") from None
    if not isinstance(skipped, list) or not all(map(is_inside, skipped)):
        raise NoUpdateError('"skip" in its .cruft.json has to be a list of paths in the service')
    if directory:
        raise NoUpdateError('its .cruft.json has a "directory", which this template has not')
    if not re.fullmatch("[0-9a-f]{40}", commit):
        raise NoUpdateError("its .cruft.json does not name a commit by its hash")
    try:
        git(TEMPLATE, "cat-file", "-e", f"{commit}^{{commit}}")
    except subprocess.CalledProcessError:
        raise NoUpdateError(
            f"made from {commit[:12]}, a commit that this clone of the template does not have"
        ) from None
    return state


def is_inside(path: object) -> bool:
    """Report whether something is a path that does not lead out of the folder that it is in."""
    return isinstance(path, str) and not PurePath(path).is_absolute() and ".." not in PurePath(path).parts


def ask(folder: Path, *words: str) -> str:
    """Return what git prints in a folder of a service."""
    return git(folder, *words, env={**IN_ENGLISH, **git_settings(ASIDE)})


def git_settings(settings: dict[str, str]) -> dict[str, str]:
    """Return the environment that gives git these settings: https://git-scm.com/docs/git-config#ENVIRONMENT."""
    variables = {"GIT_CONFIG_COUNT": str(len(settings))}
    for number, (name, value) in enumerate(settings.items()):
        variables |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    return variables


@contextmanager
def worktree(service: Path) -> Iterator[Path]:
    """Give the service as it was last committed, in a worktree that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="fleet-") as folder:
        ask(service, "worktree", "add", "--quiet", "--detach", f"{folder}/copy")
        try:
            yield Path(folder) / "copy" / place(service)
        finally:
            ask(service, "worktree", "remove", "--force", f"{folder}/copy")


def place(service: Path) -> str:
    """Return where a service is in its repository: nothing, or a path that ends with a slash."""
    return ask(service, "rev-parse", "--show-prefix").strip("\n")


def cruft(folder: Path, address: str, *words: str) -> str:
    """Run cruft with this clone in place of an address; return what it complained of though it went through."""
    with tempfile.TemporaryDirectory(prefix="fleet-") as scratch:
        told = subprocess.run(
            [CRUFT, *words],
            cwd=folder,
            env={
                **os.environ,
                **IN_ENGLISH,
                **git_settings({**ASIDE, f"url.{TEMPLATE}.insteadOf": address}),
                "COLUMNS": "500",  # so that a message is not broken into lines
                "TMPDIR": scratch,  # where Cookiecutter leaves its hooks
            },
            timeout=SECONDS,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
    if told.returncode:
        raise NoUpdateError(f"failed: {last_line(told.stderr)}")
    return told.stderr


def bake(copy: Path, state: State) -> dict[str, bytes]:
    """Return the files of a service as it was made, and let git know them, without which it could not merge.

    Its repository lacks them where its first commit was edited already, its module was renamed, or it is shallow.
    """
    context = {name: answer for name, answer in state["context"]["cookiecutter"].items() if name[0] != "_"}
    with tempfile.TemporaryDirectory(prefix="fleet-") as folder:
        words = ["--no-input", "--checkout", state["commit"], "--extra-context", json.dumps(context)]
        cruft(copy, str(TEMPLATE), "create", str(TEMPLATE), *words, "--output-dir", folder)
        (service,) = Path(folder).iterdir()
        paths = [path for path in service.rglob("*") if path.is_file() and path.name != ".cruft.json"]
        ask(copy, "hash-object", "-w", "--no-filters", "--", *map(str, paths))
        return {str(path.relative_to(service)): path.read_bytes() for path in paths}


def update(copy: Path, state: State, target: Target) -> list[str]:
    """Update a service. Return the files in conflict, which cruft leaves to git to tell."""
    settings = copy / "pyproject.toml"
    if settings.exists() and "tool.cruft" in settings.read_text(encoding="utf-8"):
        raise NoUpdateError("its pyproject.toml tells cruft what to skip, which only cruft itself follows")
    told = cruft(copy, state["template"], "update", "--skip-apply-ask", "--checkout", target.commit, *renaming(copy))
    follow(copy, state, target)
    refused = re.findall(r"^error: (?:patch failed: )?([^:\n]+):(?:\d+$| )", told, re.MULTILINE)
    unmerged = ask(copy, "diff", "--name-only", "-z", "--relative", "--diff-filter=U").split("\0")
    rejects = ask(copy, "ls-files", "-z", "--others", "--", "*.rej").split("\0")
    conflicts = {*refused, *unmerged, *(name.removesuffix(".rej") for name in rejects)} - {""}
    if "error: " in told and not conflicts:
        raise NoUpdateError(f"failed: {last_line(told)}")
    return sorted(conflicts)


def renaming(copy: Path) -> list[str]:
    """Return the words that tell cruft of the module's path, which a team may have changed."""
    file = copy / "go.mod"
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    module = re.search(r'^module\s+"?([^\s"]+)', text, re.MULTILINE)
    return ["--variables-to-update", json.dumps({"module_path": module[1]})] if module else []


def follow(copy: Path, state: State, target: Target) -> None:
    """Write down the address of the target where that is another template: a fork of the one that a service is from."""
    if versions.origin_at(TEMPLATE, state["commit"]).name != target.origin.name:
        file = copy / ".cruft.json"
        now = {**json.loads(file.read_text(encoding="utf-8")), "template": target.origin.address}
        file.write_text(json.dumps(now, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def changed_files(copy: Path) -> list[str]:
    """Return the files that the update changed, by their names in the service."""
    ask(copy, "add", "--all", ".")
    changed = ["diff", "--cached", "--name-only", "-z", "--no-renames", "--relative", "HEAD", "--", "."]
    names = ask(copy, *changed).split("\0")
    return [name for name in names if name and name != ".cruft.json" and not name.endswith(".rej")]


def branch_name(service: Path, target: Target) -> str:
    """Return the name of the branch for an update; in a repository of several services each has its own."""
    return "-".join(["template", str(target), *PurePath(place(service)).parts])


def make_branch(row: Row, service: Path, copy: Path, target: Target) -> str:
    """Commit the update to its branch, if that is not there yet, and say what was done."""
    if ask(service, "branch", "--list", row.branch):
        return "is there already"
    ask(copy, "commit", "--quiet", "-m", f"Follow the template from {row.version} to {target}")
    ask(service, "branch", "--", row.branch, ask(copy, "rev-parse", "HEAD").strip())
    base = ask(service, "rev-parse", "--abbrev-ref", "HEAD").strip()
    return f"made from {base}"


def table(rows: list[Row], target: Target) -> str:
    """Return the rows for people."""
    cells = [["service", "version", "behind", "changes", "edited", "left out", "outcome"]]
    for row in rows:
        behind = "" if row.behind is None else str(row.behind)
        counts = [str(len(files)) if files else "" for files in (row.changed, row.edited, row.left_out)]
        cells.append([row.service, row.version, behind, *counts, row.outcome])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in cells]
    to_look_at = sum(not row.ok for row in rows)
    return "\n".join([*lines, f"\nServices: {len(rows)}. To look at: {to_look_at}. Against: {target}."])


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="tools/fleet",
        description="Report how far services are behind the template, and make the branches that update them. "
        "A service is looked at as it was last committed, on the branch that it is on.",
        epilog="The exit status is 1 where somebody has to look at a service: a conflict, no link, a failure.",
    )
    parser.add_argument("folder", type=Path, help="a folder of services, or a service")
    parser.add_argument(
        "--to", metavar="VERSION", help="the release, or any commit, to go to; the newest release by default"
    )
    parser.add_argument(
        "--branch", action="store_true", help="make the branch template-VERSION where nothing conflicts"
    )
    parser.add_argument("--json", action="store_true", help="print a JSON array of all that is known, for machines")
    asked = parser.parse_args()
    if not asked.folder.is_dir():
        parser.error(f"{asked.folder} is no folder")
    return asked


def main() -> None:
    asked = arguments()
    goal, folder = target(asked.to), asked.folder.resolve()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        rows = list(pool.map(partial(report, folder=folder, target=goal, with_branch=asked.branch), services(folder)))
    print(json.dumps([asdict(row) for row in rows], indent=2) if asked.json else table(rows, goal))
    sys.exit(0 if all(row.ok for row in rows) else 1)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nStopped.")
