"""make release VERSION=1.2.3, and make tag: release the template.

A release takes two steps, with a pull request in between:

- `make release` checks that the last commit can become the version, and writes the version into three files. These
  changes are committed and merged like any others. CI runs all tests on them.
- `make tag` tags every release of the default branch that has no tag. A merge may squash commits: the tag goes to the
  commit that the branch has.

Both can be interrupted at any time, and run again. UPGRADING.md says what a version means.
"""

from __future__ import annotations

import argparse
import datetime
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tools import versions
from tools.versions import TEMPLATE, Version, git

CHANGELOG = TEMPLATE / "CHANGELOG.md"
UPGRADING = TEMPLATE / "UPGRADING.md"
WRITTEN = [versions.FILE, CHANGELOG.name, UPGRADING.name]
HEADING = "## [Unreleased]\n"


class Standard(NamedTuple):
    """What services get at a commit: the questions with their choices, and the files."""

    questions: dict[str, list[str]]  # without choices when any text is an answer
    files: frozenset[str]  # of every service
    optional: frozenset[tuple[str, str]]  # when, as JSON, and file


def standard_at(commit: str) -> Standard:
    content = json.loads(git(TEMPLATE, "show", f"{commit}:cookiecutter.json"))
    asked = {name: default for name, default in content.items() if not name.startswith("_")}
    names = git(TEMPLATE, "ls-tree", "-r", "-z", "--name-only", f"{commit}:{versions.SERVICE}").split("\0")
    optional = optional_files(content)
    return Standard(
        {name: default if isinstance(default, list) else [] for name, default in asked.items()},
        frozenset(name for name in names if name) - {file for _, file in optional},
        optional,
    )


def optional_files(content: dict[str, Any]) -> frozenset[tuple[str, str]]:
    """Return the rows of the table in cookiecutter.json. 1.0.0 had LICENSE alone, and no table."""
    rows = content.get("_optional_files", [{"when": {"license": ["MIT", "Apache-2.0"]}, "files": ["LICENSE"]}])
    return frozenset((json.dumps(row["when"]), file) for row in rows for file in row["files"])


def broken_promises(before: Standard, now: Standard) -> Iterator[str]:
    """Say which questions and choices are gone."""
    for name, choices in before.questions.items():
        if name not in now.questions:
            yield f"The question {name} is gone. Keep it, at least with a default that changes nothing."
        elif not choices and now.questions[name]:
            yield f"The question {name} has choices now: cruft could not update services with other answers."
        elif lost := set(choices) - set(now.questions[name]):
            yield f"The question {name} has lost {', '.join(sorted(lost))}: cruft could not update services with it."


def least_version(last: Version, before: Standard, now: Standard) -> tuple[Version, str]:
    """Return the lowest version that may follow the last one, and why."""
    lost = {file for when, file in before.optional - now.optional if file not in now.files}
    if gone := (before.files - now.files) | lost:
        return Version(last.major + 1, 0, 0), f"{', '.join(sorted(gone))} is gone, which makes it a major version"
    if now.files - before.files or now.optional - before.optional or now.questions != before.questions:
        return Version(last.major, last.minor + 1, 0), "there are new files, questions or choices: a minor version"
    return Version(last.major, last.minor, last.patch + 1), "it comes after the last one"


def follows(last: Version, wanted: Version) -> bool:
    """Report whether a version is one of the three that may follow another."""
    return wanted in {
        Version(last.major + 1, 0, 0),
        Version(last.major, last.minor + 1, 0),
        Version(last.major, last.minor, last.patch + 1),
    }


def problems(wanted: Version) -> Iterator[str]:
    """Say everything that prevents a release of the last commit as this version."""
    if not wanted.is_release or wanted.fork:
        yield "A release has three numbers and nothing after them."
    if others := uncommitted_files() - {name for name in WRITTEN if says_version(name, wanted)}:
        yield f"Commit these first: {', '.join(sorted(others))}."
    if str(wanted) in git(TEMPLATE, "tag", "--list").split():
        yield f"There is a tag {wanted} already."
    if versions.origin_at(TEMPLATE, "HEAD").version.fork:
        yield "This is a fork. docs/platform-teams.md says how it gets its versions."
    for page in (CHANGELOG, UPGRADING):
        if not says_version(page.name, wanted) and not unreleased(page):
            yield f'{page.name} has nothing under [Unreleased]. If services need no change by hand, write "Nothing."'
    releases = versions.releases(TEMPLATE)
    last = max((version for version in releases if version != wanted), default=None)
    if last is None:
        return
    if not follows(last, wanted):
        yield f"{wanted} does not come right after {last}."
    before, now = standard_at(releases[last]), standard_at("HEAD")
    yield from broken_promises(before, now)
    needed, why = least_version(last, before, now)
    if wanted < needed:
        yield f"It must be {needed} at least: {why}."


def uncommitted_files() -> set[str]:
    """Return the names of files that are new, changed, deleted or renamed since the last commit."""
    lines = git(TEMPLATE, "status", "--porcelain", "-z", "--no-renames").split("\0")
    return {line[3:] for line in lines if line}


def says_version(name: str, wanted: Version) -> bool:
    """Report whether one of the three files has the version already."""
    text = (TEMPLATE / name).read_text(encoding="utf-8")
    return f" {wanted} " in text if name == versions.FILE else f"\n## [{wanted}] - " in text


def unreleased(page: Path) -> str:
    """Return what a page has under its heading for what is not released yet."""
    text = page.read_text(encoding="utf-8")
    found = re.search(rf"^{re.escape(HEADING)}(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return found[1].strip() if found else ""


def write_version(wanted: Version, today: datetime.date) -> None:
    """Write the version into the three files, as far as they do not have it yet."""
    file = TEMPLATE / versions.FILE
    origin = versions.origin(file.read_text(encoding="utf-8"))
    file.write_text(f"{origin.name} {wanted} {origin.address}\n", encoding="utf-8")
    for page in (CHANGELOG, UPGRADING):
        if not says_version(page.name, wanted):
            text = page.read_text(encoding="utf-8")
            page.write_text(text.replace(HEADING, f"{HEADING}\n## [{wanted}] - {today}\n", 1), encoding="utf-8")


NEXT = """{version} is written into {files}. To publish it:

  git commit -am 'Release {version}'
  (merge it into the default branch, by a pull request titled "Release {version}", when all tests pass)
  make tag"""


def release(text: str) -> None:
    """Check that the last commit can become a version, and write the version down."""
    try:
        wanted = versions.version(text)
    except ValueError as error:
        sys.exit(str(error))
    if found := list(problems(wanted)):
        sys.exit("\n".join([f"{wanted} cannot be released:", *found]))
    write_version(wanted, datetime.datetime.now(datetime.timezone.utc).date())
    print(NEXT.format(version=wanted, files=", ".join(WRITTEN)))


def default_branch() -> str:
    """Return the default branch as last fetched from origin. Without one, return HEAD."""
    try:
        return git(TEMPLATE, "rev-parse", "--abbrev-ref", "--verify", "--quiet", "origin/HEAD").strip()
    except subprocess.CalledProcessError:
        return "HEAD"


def tag() -> None:
    """Tag each release of the default branch that has no tag, and say how to publish the tags."""
    branch = default_branch()
    tags = git(TEMPLATE, "tag", "--list").split()
    commits = {str(version): commit for version, commit in versions.releases(TEMPLATE, branch).items()}
    if misplaced := [name for name, commit in commits.items() if name in tags and commit_of(name) != commit]:
        sys.exit(f"These tags are not on the commit of their release on {branch}: {', '.join(misplaced)}.")
    missing = [name for name in commits if name not in tags]
    for name in missing:
        # It may ask for a passphrase, so it has the terminal, and all the time it needs.
        command = ["git", "tag", "--annotate", "--message", f"Release {name}", name, commits[name]]
        if subprocess.run(command, cwd=TEMPLATE).returncode:
            sys.exit(f"git did not tag {name}. Solve that, and type again: make tag")
    publish = f" To publish the new ones: git push origin {' '.join(missing)}" if missing else ""
    print(f"Every release of {branch} has its tag.{publish}")


def commit_of(name: str) -> str:
    return git(TEMPLATE, "rev-parse", f"refs/tags/{name}^{{commit}}").strip()


def main() -> None:
    parser = argparse.ArgumentParser(prog="tools.release", description="Release the template.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("write", help="write a version down").add_argument("version", help="such as 1.2.3")
    commands.add_parser("tag", help="tag the releases of the default branch")
    asked = parser.parse_args()
    versions.refuse_shallow(TEMPLATE)
    if asked.command == "tag":
        tag()
    else:
        release(asked.version)


if __name__ == "__main__":
    main()
