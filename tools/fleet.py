"""tools/fleet: how far each service of a folder is behind the template, and the branches that bring it up to date.

Each service is updated by cruft in a git worktree of its own, aside: its files, its index and its branches stay as they
are, but for the new branch where one is asked for and nothing is in conflict.
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
from pathlib import Path

from tools import versions
from tools.versions import TEMPLATE, Version, git

CRUFT = Path(sys.executable).parent / "cruft"
NO_HOOKS = ["-c", "core.hooksPath=/dev/null"]  # a service's own: they are for its team at work
SECONDS = 120  # for one command about one service


@dataclass
class Row:
    """What is known of one service."""

    service: str
    version: str = ""  # that it was made with, or last updated to
    behind: int | None = None  # releases
    outcome: str = ""  # in words, for people
    changed: list[str] = field(default_factory=list)  # files that the update changes
    edited: list[str] = field(default_factory=list)  # those among them that the team has changed too
    conflicts: list[str] = field(default_factory=list)  # those in which both changed the same lines
    branch: str = ""  # that was made
    ok: bool = True  # nobody has to look


class NoUpdateError(Exception):
    """Why a service is not updated, for its row."""


@dataclass(frozen=True)
class Target:
    """The commit of the template that services are brought to, what it says of itself, and the releases there are."""

    commit: str
    version: Version
    releases: dict[Version, str]

    def __str__(self) -> str:
        """Return the version if it was released with this commit, else the beginning of its hash."""
        return str(self.version) if self.releases.get(self.version) == self.commit else self.commit[:12]

    def behind(self, version: Version) -> int:
        """Return how many releases have come since a version."""
        return sum(version < release <= self.version for release in self.releases)

    def has_news_for(self, commit: str) -> bool:
        """Report whether services get something else than from a commit, and that commit is not a later one."""
        if not git(TEMPLATE, "rev-list", "-1", self.commit, f"^{commit}"):
            return False
        return bool(git(TEMPLATE, "diff", "--name-only", commit, self.commit, "--", *versions.PARTS))


def target(wanted: str | None) -> Target:
    """Return the release or commit that is wanted, by default the newest release; end where there is none."""
    releases = versions.releases(TEMPLATE)
    names = {str(version): commit for version, commit in releases.items()}
    if not wanted and not names:
        sys.exit("This clone of the template has no release yet. To look at a commit: --to HEAD")
    name = wanted or list(names)[-1]
    try:
        commit = (
            names.get(name) or git(TEMPLATE, "rev-parse", "--verify", "--end-of-options", f"{name}^{{commit}}").strip()
        )
        return Target(commit, versions.origin_at(TEMPLATE, commit).version, releases)
    except subprocess.CalledProcessError:
        sys.exit(f"{name!r} is no release and no commit. The releases are: {', '.join(names) or 'none yet'}")


def services(folder: Path) -> list[Path]:
    """Return the services in a folder, or the folder itself if it is one."""
    found = [path for path in [folder, *sorted(folder.iterdir())] if is_service(path)]
    return found or sys.exit(f"{folder} has no services: there is no .template in it, nor in a folder in it.")


def is_service(path: Path) -> bool:
    """Report whether a folder says that it follows this template; cruft's own file may be of another one."""
    if (path / ".template").is_file():
        return True
    try:
        return bool(linked_commit((path / ".cruft.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, NoUpdateError):
        return False


def report(service: Path, target: Target, with_branch: bool) -> Row:
    """Return the row of a service. Whatever goes wrong with it stands there, and stops no other."""
    row = Row(service.name)
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
    if not git(service, "ls-files", ".cruft.json"):
        note_version(row, versions.origin(git(service, "show", "HEAD:./.template")).version, target)
        raise NoUpdateError("not linked: run cruft link in it, as its README says")
    commit = linked_commit(git(service, "show", "HEAD:./.cruft.json"))
    made_with = versions.origin_at(TEMPLATE, commit).version
    note_version(row, made_with, target)
    if not target.has_news_for(commit):
        row.outcome = "up to date"
        return
    with worktree(service) as copy:
        edited = edited_files(copy)
        row.conflicts = update(copy, target)
        row.changed = changed_files(copy)
        row.edited = sorted(edited.intersection(row.changed).union(row.conflicts))
        if row.conflicts:
            raise NoUpdateError(f"conflict in {', '.join(row.conflicts)}")
        row.outcome = "updates without conflict"
        if with_branch:
            row.branch = commit_branch(service, copy, made_with, target)


def note_version(row: Row, version: Version, target: Target) -> None:
    row.version, row.behind = str(version), target.behind(version)


def linked_commit(state: str) -> str:
    """Return the commit that cruft's file names, if it is one of this template."""
    try:
        commit = str(json.loads(state)["commit"])
    except (ValueError, KeyError, TypeError):
        raise NoUpdateError("not linked: its .cruft.json names no commit") from None
    try:
        return git(TEMPLATE, "rev-parse", "--verify", "--end-of-options", f"{commit}^{{commit}}").strip()
    except subprocess.CalledProcessError:
        raise NoUpdateError(
            f"made from {commit[:12]}, a commit that this clone of the template does not have"
        ) from None


@contextmanager
def worktree(service: Path) -> Iterator[Path]:
    """Give the service as it was last committed, in a worktree that is gone afterwards."""
    place = git(service, "rev-parse", "--show-prefix").strip()
    with tempfile.TemporaryDirectory(prefix="fleet-") as folder:
        git(service, *NO_HOOKS, "worktree", "add", "--quiet", "--detach", f"{folder}/copy")
        try:
            yield Path(folder) / "copy" / place
        finally:
            git(service, "worktree", "remove", "--force", f"{folder}/copy")


def cruft(copy: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run cruft with this clone in place of the address that the service was made from."""
    address = json.loads((copy / ".cruft.json").read_text(encoding="utf-8"))["template"]
    redirect = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{TEMPLATE}.insteadOf",
        "GIT_CONFIG_VALUE_0": address,
        "COLUMNS": "500",  # so that a message is not broken into lines
    }
    told = subprocess.run(
        [CRUFT, *words],
        cwd=copy,
        env={**os.environ, **redirect},
        timeout=SECONDS,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if told.returncode:
        raise NoUpdateError(f"failed: {last_line(told.stderr)}")
    return told


def edited_files(copy: Path) -> set[str]:
    """Return the files of the template that the team has changed or deleted."""
    return set(re.findall(r"^diff --git .* upstream-template-new/(.*)$", cruft(copy, "diff").stdout, re.MULTILINE))


def update(copy: Path, target: Target) -> list[str]:
    """Update a service. Return the files in conflict, which cruft only tells in git's words."""
    told = cruft(copy, "update", "--skip-apply-ask", "--checkout", target.commit, *renaming(copy)).stderr
    refused = re.findall(r"^error: (?:patch failed: )?([^:]+):(?:\d+$| )", told, re.MULTILINE)
    merged = re.findall(r"^Applied patch to '(.*)' with conflicts\.$", told, re.MULTILINE)
    if "error: " in told and not refused:
        raise NoUpdateError(f"failed: {last_line(told)}")
    return sorted({*refused, *merged})


def renaming(copy: Path) -> list[str]:
    """Return the words that tell cruft of the module's path, which a team may have changed."""
    module = re.search(r"^module (\S+)$", (copy / "go.mod").read_text(encoding="utf-8"), re.MULTILINE)
    return ["--variables-to-update", json.dumps({"module_path": module[1]})] if module else []


def changed_files(copy: Path) -> list[str]:
    """Return the files that the update changed, by their names in the service."""
    git(copy, "add", "--all", ".")
    names = git(copy, "diff", "--cached", "--name-only", "-z", "--relative", "HEAD", "--", ".").split("\0")
    return [name for name in names if name and name != ".cruft.json" and not name.endswith(".rej")]


def commit_branch(service: Path, copy: Path, before: Version, target: Target) -> str:
    """Commit the update to a branch of its own and return its name."""
    branch = f"template-{target}"
    if git(service, "branch", "--list", branch):
        raise NoUpdateError(f"updates without conflict, but there is a branch {branch} already")
    git(copy, *NO_HOOKS, "commit", "--quiet", "-m", f"Follow the template from {before} to {target}")
    git(service, "branch", branch, git(copy, "rev-parse", "HEAD").strip())
    return branch


def table(rows: list[Row], target: Target) -> str:
    """Return the rows for people."""
    cells = [["service", "version", "behind", "changes", "edited", "outcome"]]
    for row in rows:
        behind = "" if row.behind is None else str(row.behind)
        outcome = f"{row.outcome}; branch {row.branch}" if row.branch else row.outcome
        counts = [str(len(files)) if files else "" for files in (row.changed, row.edited)]
        cells.append([row.service, row.version, behind, *counts, outcome])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in cells]
    to_look_at = sum(not row.ok for row in rows)
    return "\n".join([*lines, f"\nServices: {len(rows)}. To look at: {to_look_at}. Against: {target}."])


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="tools/fleet",
        description="Report how far services are behind the template, and make the branches that update them.",
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
    goal = target(asked.to)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        rows = list(pool.map(lambda service: report(service, goal, asked.branch), services(asked.folder.resolve())))
    print(json.dumps([asdict(row) for row in rows], indent=2) if asked.json else table(rows, goal))
    sys.exit(0 if all(row.ok for row in rows) else 1)


if __name__ == "__main__":
    main()
