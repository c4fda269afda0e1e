"""tools/fleet: report how far each service in a folder is behind the template, and create branches with the updates.

cruft updates each service in a temporary git worktree. The service's own files, index and branches do not change. With
--branch, a service that updates without a conflict gets one new branch. The content of a service is not trusted: many
people write to it.
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

# Settings of a service or a user must not change the result: no hooks, no file watchers, diffs as cruft expects them.
GIT_SETTINGS = {"core.hooksPath": os.devnull, "core.fsmonitor": "false", "diff.context": "3"}

CruftState = dict[str, Any]  # the content of .cruft.json


@dataclass
class Row:
    """What the tool knows about one service."""

    service: str
    version: str = ""  # of the template, when the service was created or last updated
    behind: int | None = None  # number of releases
    outcome: str = ""  # a sentence for people
    changed: list[str] = field(default_factory=list)  # files that the update changes
    edited: list[str] = field(default_factory=list)  # files that the update changes and the team has edited
    left_out: list[str] = field(default_factory=list)  # files that the update changes and the team has deleted or moved
    conflicts: list[str] = field(default_factory=list)  # files in which both changed the same lines
    branch: str = ""  # the branch with the update
    ok: bool = True  # False if a person has to look at the service


class NoUpdateError(Exception):
    """The reason why a service is not updated. It becomes the outcome of its row."""


@dataclass(frozen=True)
class Target:
    """The commit of the template that services are updated to."""

    commit: str
    origin: versions.Origin  # its .template file
    releases: dict[Version, str]  # all releases of the template, with their commits

    def __str__(self) -> str:
        """Return the version if the commit is a release, otherwise the beginning of its hash."""
        version = self.origin.version
        return str(version) if self.releases.get(version) == self.commit else self.commit[:12]

    def behind(self, version: Version) -> int:
        """Return how many releases came after a version."""
        return sum(version < release <= self.origin.version for release in self.releases)

    def has_update_for(self, commit: str) -> bool:
        """Report whether this target changes services made from a commit. It is False for a later commit."""
        if not git(TEMPLATE, "rev-list", "-1", self.commit, f"^{commit}"):
            return False
        return bool(git(TEMPLATE, "diff", "--name-only", commit, self.commit, "--", *versions.PARTS))

    def changes_since(self, commit: str) -> list[str]:
        """Return the files that the template changed since a commit, by their names in a service."""
        changed = ["diff", "--name-only", "-z", "--no-renames", "--diff-filter=M"]
        names = git(TEMPLATE, *changed, commit, self.commit, "--", SERVICE).split("\0")
        return [name.removeprefix(f"{SERVICE}/") for name in names if name]


def find_target(wanted: str | None) -> Target:
    """Return the wanted release or commit, by default the newest release. End the program if there is none."""
    versions.refuse_shallow(TEMPLATE)
    releases = versions.releases(TEMPLATE)
    names = {str(version): commit for version, commit in releases.items()}
    if not wanted and not names:
        sys.exit("This clone of the template has no release. To compare with the last commit, add: --to HEAD")
    name = wanted or list(names)[-1]
    try:
        commit = (
            names.get(name) or git(TEMPLATE, "rev-parse", "--verify", "--end-of-options", f"{name}^{{commit}}").strip()
        )
        return Target(commit, versions.origin_at(TEMPLATE, commit), releases)
    except subprocess.CalledProcessError:
        sys.exit(f"{name!r} is no release and no commit. The releases are: {', '.join(names) or 'none yet'}")


def services(folder: Path) -> list[Path]:
    """Return the services in a folder and its subfolders, except hidden ones and those of a service."""
    found = []
    for path, names, _ in os.walk(folder):
        if is_service(Path(path)):
            found.append(Path(path))
            names.clear()
        names[:] = sorted(name for name in names if not name.startswith("."))
    return found or sys.exit(f"{folder} has no services: neither it nor a subfolder has a .template file.")


def is_service(path: Path) -> bool:
    """Report whether a folder is a service of this template. A .cruft.json alone may belong to another template."""
    try:
        return (path / ".template").is_file() or bool(read_state((path / ".cruft.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, NoUpdateError):
        return False


def report(service: Path, folder: Path, target: Target, with_branch: bool) -> Row:
    """Return the row of a service. An error becomes its outcome, and does not stop the others."""
    row = Row(str(service.relative_to(folder)) if service != folder else service.name)
    try:
        try_update(row, service, target, with_branch)
    except NoUpdateError as reason:
        row.outcome, row.ok = str(reason), False
    except subprocess.CalledProcessError as failure:
        row.outcome, row.ok = f"failed: {last_line(failure.stderr)}", False
    except Exception as failure:
        row.outcome, row.ok = f"failed: {type(failure).__name__}: {failure}", False
    return row


def last_line(text: str) -> str:
    """Return the last line that is not blank, without the box that cruft draws around a message."""
    lines = [line.strip(" │╰╯╭╮─") for line in text.splitlines()]
    return next((line for line in reversed(lines) if line), "no reason given")


def try_update(row: Row, service: Path, target: Target, with_branch: bool) -> None:
    """Update a copy of a service and fill in the row. Raises NoUpdateError."""
    state = linked_state(row, service, target)
    if not target.has_update_for(state["commit"]):
        row.outcome = "up to date"
        return
    with worktree(service) as copy:
        original = bake_original(copy, state)
        present = {name for name in original if (copy / name).exists()}
        edited = {name for name in present if (copy / name).read_bytes() != original[name]}
        row.left_out = [name for name in target.changes_since(state["commit"]) if name in original.keys() - present]
        row.conflicts = update(copy, state, target)
        row.changed = changed_files(copy)
        row.edited = sorted(edited.intersection(row.changed).union(row.conflicts))
        if row.conflicts:
            raise NoUpdateError(f"conflict in {', '.join(row.conflicts)}")
        row.outcome = "updates without conflict"
        if with_branch:
            row.branch = branch_name(service, target)
            row.outcome += f"; branch {row.branch} {make_branch(row, service, copy, target)}"


def linked_state(row: Row, service: Path, target: Target) -> CruftState:
    """Return the committed .cruft.json, and write the version into the row. Raises NoUpdateError if there is none."""
    if git_in_service(service, "ls-files", ".cruft.json"):
        state = read_state(git_in_service(service, "show", "HEAD:./.cruft.json"))
        version = versions.origin_at(TEMPLATE, state["commit"]).version
        row.version, row.behind = str(version), target.behind(version)
        return state
    version = versions.origin(git_in_service(service, "show", "HEAD:./.template")).version
    row.version, row.behind = str(version), target.behind(version)
    exists = (service / ".cruft.json").exists()
    raise NoUpdateError("its .cruft.json is not committed" if exists else "not linked: its README says how")


def read_state(text: str) -> CruftState:
    """Read a .cruft.json. Raises NoUpdateError if it belongs to another template or could do harm.

    cruft runs hooks from "directory" and deletes the paths in "skip", even outside of the service.
    """
    try:
        state: CruftState = json.loads(text)
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
    """Report whether a value is a path that stays inside its folder."""
    return isinstance(path, str) and not PurePath(path).is_absolute() and ".." not in PurePath(path).parts


def git_in_service(folder: Path, *arguments: str) -> str:
    """Return what git prints in a folder of a service."""
    return git(folder, *arguments, env={**IN_ENGLISH, **git_environment(GIT_SETTINGS)})


def git_environment(settings: dict[str, str]) -> dict[str, str]:
    """Return the environment variables that pass settings to git: https://git-scm.com/docs/git-config#ENVIRONMENT."""
    variables = {"GIT_CONFIG_COUNT": str(len(settings))}
    for number, (name, value) in enumerate(settings.items()):
        variables |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    return variables


@contextmanager
def worktree(service: Path) -> Iterator[Path]:
    """Yield the last commit of a service in a temporary worktree."""
    with tempfile.TemporaryDirectory(prefix="fleet-") as folder:
        git_in_service(service, "worktree", "add", "--quiet", "--detach", f"{folder}/copy")
        try:
            yield Path(folder) / "copy" / path_in_repository(service)
        finally:
            git_in_service(service, "worktree", "remove", "--force", f"{folder}/copy")


def path_in_repository(service: Path) -> str:
    """Return the path of a service in its repository, with a slash at its end. It is empty at the root."""
    return git_in_service(service, "rev-parse", "--show-prefix").strip("\n")


def cruft(folder: Path, address: str, *arguments: str) -> str:
    """Run cruft, with this clone in place of an address, and return the warnings it printed. Raises NoUpdateError."""
    with tempfile.TemporaryDirectory(prefix="fleet-") as scratch:
        done = subprocess.run(
            [CRUFT, *arguments],
            cwd=folder,
            env={
                **os.environ,
                **IN_ENGLISH,
                **git_environment({**GIT_SETTINGS, f"url.{TEMPLATE}.insteadOf": address}),
                "COLUMNS": "500",  # keeps a message on one line
                "TMPDIR": scratch,  # Cookiecutter leaves its hooks there
                "COOKIECUTTER_CONFIG": str(empty_config(Path(scratch))),
            },
            timeout=SECONDS,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
    if done.returncode:
        raise NoUpdateError(f"failed: {last_line(done.stderr)}")
    return done.stderr


def empty_config(folder: Path) -> Path:
    """Return a Cookiecutter config without answers. The user's own config must not answer for the services."""
    config = folder / "config.json"
    config.write_text(json.dumps({"cookiecutters_dir": str(folder), "replay_dir": str(folder)}), encoding="utf-8")
    return config


def bake_original(copy: Path, state: CruftState) -> dict[str, bytes]:
    """Bake a service again from its commit of the template and return the files.

    It also adds them to the service's object store, because git merges only with originals that it has. They may be
    missing there: if the team edited the files before the first commit or renamed the module, or in a shallow clone.
    """
    context = {name: answer for name, answer in state["context"]["cookiecutter"].items() if name[0] != "_"}
    with tempfile.TemporaryDirectory(prefix="fleet-") as folder:
        options = ["--no-input", "--checkout", state["commit"], "--extra-context", json.dumps(context)]
        cruft(copy, str(TEMPLATE), "create", str(TEMPLATE), *options, "--output-dir", folder)
        (service,) = Path(folder).iterdir()
        paths = [path for path in service.rglob("*") if path.is_file() and path.name != ".cruft.json"]
        git_in_service(copy, "hash-object", "-w", "--no-filters", "--", *map(str, paths))
        return {str(path.relative_to(service)): path.read_bytes() for path in paths}


def update(copy: Path, state: CruftState, target: Target) -> list[str]:
    """Update a service and return the files in conflict. cruft does not list them, so git has to."""
    settings = copy / "pyproject.toml"
    if settings.exists() and "tool.cruft" in settings.read_text(encoding="utf-8"):
        raise NoUpdateError("its pyproject.toml tells cruft what to skip: check that, then run cruft update there")
    options = ["--skip-apply-ask", "--checkout", target.commit, *module_option(copy)]
    warnings = cruft(copy, state["template"], "update", *options)
    write_new_address(copy, state, target)
    not_applied = re.findall(r"^error: (?:patch failed: )?([^:\n]+):(?:\d+$| )", warnings, re.MULTILINE)
    unmerged = git_in_service(copy, "diff", "--name-only", "-z", "--relative", "--diff-filter=U").split("\0")
    rejects = git_in_service(copy, "ls-files", "-z", "--others", "--", "*.rej").split("\0")
    conflicts = {*not_applied, *unmerged, *(name.removesuffix(".rej") for name in rejects)} - {""}
    if "error: " in warnings and not conflicts:
        raise NoUpdateError(f"failed: {last_line(warnings)}")
    return sorted(conflicts)


def module_option(copy: Path) -> list[str]:
    """Return the option that passes the module path to cruft. A team may have renamed the module."""
    file = copy / "go.mod"
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    module = re.search(r'^module\s+"?([^\s"]+)', text, re.MULTILINE)
    return ["--variables-to-update", json.dumps({"module_path": module[1]})] if module else []


def write_new_address(copy: Path, state: CruftState, target: Target) -> None:
    """Write the target's address into .cruft.json if a service moves to another template, such as a fork."""
    if versions.origin_at(TEMPLATE, state["commit"]).name != target.origin.name:
        file = copy / ".cruft.json"
        content = {**json.loads(file.read_text(encoding="utf-8")), "template": target.origin.address}
        file.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def changed_files(copy: Path) -> list[str]:
    """Return the files that the update changed, by their names in the service."""
    git_in_service(copy, "add", "--all", ".")
    changed = ["diff", "--cached", "--name-only", "-z", "--no-renames", "--relative", "HEAD", "--", "."]
    names = git_in_service(copy, *changed).split("\0")
    return [name for name in names if name and name != ".cruft.json" and not name.endswith(".rej")]


def branch_name(service: Path, target: Target) -> str:
    """Return the name of the update branch. In a repository with several services it includes the path."""
    return "-".join(["template", str(target), *PurePath(path_in_repository(service)).parts])


def make_branch(row: Row, service: Path, copy: Path, target: Target) -> str:
    """Commit the update to its branch, unless the branch exists. Return what was done, as part of the outcome."""
    if git_in_service(service, "branch", "--list", row.branch):
        return "is there already"
    git_in_service(copy, "commit", "--quiet", "-m", f"Follow the template from {row.version} to {target}")
    git_in_service(service, "branch", "--", row.branch, git_in_service(copy, "rev-parse", "HEAD").strip())
    base = git_in_service(service, "rev-parse", "--abbrev-ref", "HEAD").strip()
    return f"made from {base}"


def table(rows: list[Row], target: Target) -> str:
    """Return the rows as a table for people."""
    cells = [["service", "version", "behind", "changes", "edited", "left out", "outcome"]]
    for row in rows:
        behind = "" if row.behind is None else str(row.behind)
        counts = [str(len(files)) if files else "" for files in (row.changed, row.edited, row.left_out)]
        cells.append([row.service, row.version, behind, *counts, row.outcome])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in cells]
    need_a_look = sum(not row.ok for row in rows)
    return "\n".join([*lines, f"\nServices: {len(rows)}. To look at: {need_a_look}. Against: {target}."])


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="tools/fleet",
        description="Report how far each service is behind the template, and create branches with the updates. "
        "The tool reads the last commit of the branch that is checked out.",
        epilog="The exit status is 1 if a person has to look at a service: a conflict, no link, a failure.",
    )
    parser.add_argument("folder", type=Path, help="a folder with services, or one service")
    parser.add_argument(
        "--to", metavar="VERSION", help="the release or commit to update to (default: the newest release)"
    )
    parser.add_argument(
        "--branch", action="store_true", help="create the branch template-VERSION in services without a conflict"
    )
    parser.add_argument("--json", action="store_true", help="print all results as a JSON array")
    options = parser.parse_args()
    if not options.folder.is_dir():
        parser.error(f"{options.folder} is no folder")
    return options


def main() -> None:
    options = arguments()
    target, folder = find_target(options.to), options.folder.resolve()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        report_one = partial(report, folder=folder, target=target, with_branch=options.branch)
        rows = list(pool.map(report_one, services(folder)))
    print(json.dumps([asdict(row) for row in rows], indent=2) if options.json else table(rows, target))
    sys.exit(0 if all(row.ok for row in rows) else 1)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nStopped.")
