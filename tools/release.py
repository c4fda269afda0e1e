"""make release VERSION=1.2.3: check that this commit can be that version, write the version down, and tag it.

What a version means, by https://semver.org and for a service that follows:

- major: its team has something to do by hand, as UPGRADING.md says, or a file is gone or has another name.
- minor: an update brings something new. A new question has a default that changes nothing.
- patch: an update repairs what was there.

A question or a choice never goes: cruft could not update the services that have it.
"""

from __future__ import annotations

import argparse
import ast
import datetime
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tools import versions
from tools.versions import TEMPLATE, Version, git

CHANGELOG = TEMPLATE / "CHANGELOG.md"
UPGRADING = TEMPLATE / "UPGRADING.md"


class Standard(NamedTuple):
    """What a commit offers: the questions with their choices, the files of every service, and those of some choices."""

    questions: dict[str, list[str]]  # no choices where any text is an answer
    files: frozenset[str]
    optional: frozenset[tuple[str, str, str]]  # question, choice, file


def standard_at(commit: str) -> Standard:
    context = json.loads(git(TEMPLATE, "show", f"{commit}:cookiecutter.json"))
    asked = {name: default for name, default in context.items() if not name.startswith("_")}
    names = git(TEMPLATE, "ls-tree", "-r", "-z", "--name-only", f"{commit}:{versions.SERVICE}").split("\0")
    optional = optional_files(git(TEMPLATE, "show", f"{commit}:hooks/post_gen_project.py"))
    return Standard(
        {name: default if isinstance(default, list) else [] for name, default in asked.items()},
        frozenset(name for name in names if name) - {file for _, _, file in optional},
        optional,
    )


def optional_files(hook: str) -> frozenset[tuple[str, str, str]]:
    """Return the table of the hook that removes files, which is not run for that."""
    (table,) = (
        ast.literal_eval(node.value)
        for node in ast.parse(hook).body
        if isinstance(node, ast.AnnAssign) and node.value and ast.unparse(node.target) == "OPTIONAL"
    )
    return frozenset(
        (question, choice, file)
        for question, choices in table.items()
        for choice, files in choices.items()
        for file in files
    )


def broken_promises(before: Standard, now: Standard) -> Iterator[str]:
    """Say which questions and choices are gone."""
    for name, choices in before.questions.items():
        if name not in now.questions:
            yield f"The question {name} is gone: a question stays, at least with a default that changes nothing."
        elif not choices and now.questions[name]:
            yield f"The question {name} has choices now: cruft could not update who has answered something else."
        elif lost := set(choices) - set(now.questions[name]):
            yield f"The question {name} has lost {', '.join(sorted(lost))}: cruft could not update who has chosen it."


def least(last: Version, before: Standard, now: Standard) -> tuple[Version, str]:
    """Return the least version that can follow the last one, and why."""
    lost = {file for question, choice, file in before.optional - now.optional if file not in now.files}
    if gone := (before.files - now.files) | lost:
        return Version(last.major + 1, 0, 0), f"{', '.join(sorted(gone))} is gone, which makes it a major version"
    if now.files - before.files or now.optional - before.optional or now.questions != before.questions:
        return Version(last.major, last.minor + 1, 0), "there are new files, questions or choices: a minor version"
    return Version(last.major, last.minor, last.patch + 1), "it comes after the last one"


def follows(last: Version, wanted: Version) -> bool:
    """Report whether a version is one of the three that can follow another."""
    return wanted in {
        Version(last.major + 1, 0, 0),
        Version(last.major, last.minor + 1, 0),
        Version(last.major, last.minor, last.patch + 1),
    }


def problems(wanted: Version) -> Iterator[str]:
    """Say all that speaks against a release of what is committed."""
    if not wanted.is_release or wanted.fork:
        yield "A release has three numbers and nothing after them."
    if git(TEMPLATE, "status", "--porcelain"):
        yield "There are changes that are not committed."
    if not git(TEMPLATE, "branch", "--show-current").strip():
        yield "No branch is checked out."
    if versions.origin_at(TEMPLATE, "HEAD").version.fork:
        yield "This is a fork, which says its versions itself: docs/your-standard.md."
    if not unreleased(CHANGELOG):
        yield "CHANGELOG.md has nothing under [Unreleased]."
    if not unreleased(UPGRADING):
        yield 'UPGRADING.md has nothing under [Unreleased]: what does a team do by hand? "Nothing." is an answer.'
    if str(wanted) in git(TEMPLATE, "tag", "--list").split():
        yield f"There is a tag {wanted} already."
    releases = versions.releases(TEMPLATE)
    if not releases:
        return
    last = max(releases)
    if not follows(last, wanted):
        yield f"{wanted} does not come right after {last}."
    before, now = standard_at(releases[last]), standard_at("HEAD")
    yield from broken_promises(before, now)
    needed, why = least(last, before, now)
    if wanted < needed:
        yield f"It has to be {needed} at least: {why}."


HEADING = "## [Unreleased]\n"


def unreleased(page: Path) -> str:
    """Return what a page has under its first heading, for what is not released yet."""
    found = re.search(
        rf"^{re.escape(HEADING)}(.*?)(?=^## |\Z)", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    return found[1].strip() if found else ""


def write_down(wanted: Version, today: datetime.date) -> None:
    """Write the version where services get it, and over what the two pages say of it."""
    file = TEMPLATE / versions.FILE
    origin = versions.origin(file.read_text(encoding="utf-8"))
    file.write_text(f"{origin.name} {wanted} {origin.address}\n", encoding="utf-8")
    for page in (CHANGELOG, UPGRADING):
        text = page.read_text(encoding="utf-8")
        page.write_text(text.replace(HEADING, f"{HEADING}\n## [{wanted}] - {today}\n", 1), encoding="utf-8")


WRITTEN = [versions.FILE, CHANGELOG.name, UPGRADING.name]


def test_and_tag(wanted: Version) -> None:
    """Run all tests over what is written down, commit that alone, and tag it. A ReleaseError says what prevents it."""
    in_full = {**os.environ, "CI": "true"}  # where a test that cannot run fails, and is not skipped
    if subprocess.run(["make", "--no-print-directory", "test"], cwd=TEMPLATE, env=in_full).returncode:
        raise ReleaseError("a test has failed")
    changed = git(TEMPLATE, "status", "--porcelain", "-z").split("\0")
    if others := {line[3:] for line in changed if line} - set(WRITTEN):
        raise ReleaseError(f"while the tests ran, {', '.join(sorted(others))} has changed, which they have not seen")
    try:
        git(TEMPLATE, "commit", "--quiet", "--message", f"Release {wanted}", "--", *WRITTEN)
    except subprocess.CalledProcessError as failure:
        raise ReleaseError(f"git does not commit: {failure.stderr.strip()}") from None
    try:
        git(TEMPLATE, "tag", "--annotate", "--message", f"Release {wanted}", str(wanted))
    except subprocess.CalledProcessError as failure:
        git(TEMPLATE, "reset", "--quiet", "--soft", "HEAD~1")
        raise ReleaseError(f"git does not tag: {failure.stderr.strip()}") from None


class ReleaseError(Exception):
    """Why a version is not released after all."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="make release", description="Release what is committed as a version.")
    parser.add_argument("version", help="such as 1.2.3")
    asked = parser.parse_args()
    versions.refuse_shallow(TEMPLATE)
    try:
        wanted = versions.version(asked.version)
    except ValueError as error:
        sys.exit(str(error))
    if found := list(problems(wanted)):
        sys.exit("\n".join([f"{wanted} cannot be released:", *found]))
    write_down(wanted, datetime.datetime.now(datetime.timezone.utc).date())
    try:
        test_and_tag(wanted)
    except (ReleaseError, KeyboardInterrupt) as reason:
        git(TEMPLATE, "checkout", "--quiet", "HEAD", "--", *WRITTEN)
        sys.exit(f"{wanted} is not released: {str(reason) or 'stopped'}. No file is changed.")
    print(f"{wanted} is committed and tagged. To publish it: git push --atomic --follow-tags")


if __name__ == "__main__":
    main()
