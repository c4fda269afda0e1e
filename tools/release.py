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

PAGES = ["CHANGELOG.md", "UPGRADING.md"]
WRITTEN = [versions.FILE, *PAGES]
HEADING = "## [Unreleased]\n"
OWNERS = "docs/template.md"  # in a service: whose each file is


class Standard(NamedTuple):
    """What services get at a commit: the questions with their choices, and the files."""

    questions: dict[str, list[str]]  # without choices when any text is an answer
    files: frozenset[str]  # of every service
    optional: frozenset[tuple[str, str]]  # when, as JSON, and file
    teams: dict[str, str]  # the files that teams own, each with its blob


def standard_at(commit: str) -> Standard:
    content = json.loads(git(TEMPLATE, "show", f"{commit}:cookiecutter.json"))
    asked = {name: default for name, default in content.items() if not name.startswith("_")}
    listed = filter(None, git(TEMPLATE, "ls-tree", "-r", "-z", f"{commit}:{versions.SERVICE}").split("\0"))
    blobs = {name: facts.split()[2] for facts, name in (entry.split("\t") for entry in listed)}
    optional = optional_files(content)
    return Standard(
        {name: default if isinstance(default, list) else [] for name, default in asked.items()},
        frozenset(blobs) - {file for _, file in optional},
        optional,
        {name: blobs[name] for name in files_of_teams(git(TEMPLATE, "show", blobs[OWNERS])) if name in blobs}
        if OWNERS in blobs
        else {},
    )


def files_of_teams(page: str) -> list[str]:
    """Return the files in the first table of the page that says whose each file is, without those owned in part."""
    rows = page.partition("| yours |")[2].partition("\n\n")[0]
    cells = re.findall(r"^\| (`.*?) \|", rows, re.MULTILINE)
    return [name for cell in cells for name in re.findall("`([^` ]+)`", cell)]


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
    if changed := [name for name, blob in before.teams.items() if now.teams.get(name, blob) != blob]:
        return Version(
            last.major + 1, 0, 0
        ), f"{', '.join(sorted(changed))} belongs to teams: a change is a major version"
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
    if others := uncommitted_files() - {name for name in WRITTEN if is_written(name, wanted)}:
        yield f"Commit these first: {', '.join(sorted(others))}."
    if str(wanted) in git(TEMPLATE, "tag", "--list").split():
        yield f"There is a tag {wanted} already."
    if versions.origin_at(TEMPLATE, "HEAD").version.fork:
        yield "This is a fork. docs/platform-teams.md says how it gets its versions."
    for page in PAGES:
        if not unreleased(page):
            yield f'{page} has nothing under [Unreleased]. If services need no change by hand, write "Nothing."'
    releases = versions.releases(TEMPLATE)
    if wanted in releases:
        yield f"{wanted} is released by commit {releases[wanted][:12]}. When it is merged, type: make tag"
        return
    last = versions.newest(releases)
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


def unreleased(page: str) -> str:
    """Return what a page of the last commit has under its heading for what is not released yet."""
    found = re.search(rf"^{re.escape(HEADING)}(.*?)(?=^## |\Z)", committed(page), re.MULTILINE | re.DOTALL)
    return found[1].strip() if found else ""


def committed(name: str) -> str:
    return git(TEMPLATE, "show", f"HEAD:{name}")


def released_text(name: str, wanted: Version, day: str) -> str:
    """Return what one of the three files must be: the text of the last commit, with the version in it."""
    if name == versions.FILE:
        origin = versions.origin(committed(name))
        return f"{origin.name} {wanted} {origin.address}\n"
    return committed(name).replace(HEADING, f"{HEADING}\n## [{wanted}] - {day}\n", 1)


def is_written(name: str, wanted: Version) -> bool:
    """Report whether a file of the work tree has the version and no other change, on whatever day it was written."""
    text = (TEMPLATE / name).read_text(encoding="utf-8") if (TEMPLATE / name).exists() else ""
    day = re.search(rf"^## \[{re.escape(str(wanted))}\] - (\S+)$", text, re.MULTILINE)
    return text == released_text(name, wanted, day[1] if day else "")


def write_version(wanted: Version, today: datetime.date) -> None:
    """Write the version into the three files. Each is replaced as a whole, so that an interruption leaves no half."""
    for name in WRITTEN:
        if not is_written(name, wanted):
            partial = TEMPLATE / f".{Path(name).name}.partial"
            partial.write_text(released_text(name, wanted, str(today)), encoding="utf-8")
            partial.replace(TEMPLATE / name)


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


def tag(branch: str) -> None:
    """Tag each release of the default branch that has no tag, and say how to publish the tags."""
    branch = branch or default_branch()
    tags = git(TEMPLATE, "tag", "--list").split()
    commits = {str(version): commit for version, commit in versions.releases(TEMPLATE, branch).items()}
    if misplaced := [name for name, commit in commits.items() if name in tags and commit_of(name) != commit]:
        names = " ".join(misplaced)
        sys.exit(f"These tags are not on the commit of their release on {branch}: {names}. Type: git tag -d {names}")
    for name in commits.keys() - set(tags):
        # It may ask for a passphrase, so it has the terminal, and all the time it needs.
        command = ["git", "tag", "--annotate", "--message", f"Release {name}", name, commits[name]]
        if subprocess.run(command, cwd=TEMPLATE).returncode:
            sys.exit(f"git did not tag {name}. Solve that, and type again: make tag")
    print(f"Every release of {branch} has its tag. To publish them, type: git push origin --tags")


def default_branch() -> str:
    """Return the default branch as last fetched from origin, or HEAD in a clone without origin."""
    if "origin" not in git(TEMPLATE, "remote").split():
        return "HEAD"
    try:
        return git(TEMPLATE, "rev-parse", "--abbrev-ref", "--verify", "--quiet", "origin/HEAD").strip()
    except subprocess.CalledProcessError:
        sys.exit("git does not know the default branch of origin. Type: git remote set-head origin --auto")


def commit_of(name: str) -> str:
    return git(TEMPLATE, "rev-parse", f"refs/tags/{name}^{{commit}}").strip()


def main() -> None:
    parser = argparse.ArgumentParser(prog="tools.release", description="Release the template.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("write", help="write a version down").add_argument("version", help="such as 1.2.3")
    tags = commands.add_parser("tag", help="tag the releases of the default branch")
    tags.add_argument("branch", nargs="?", default="", help="another branch, such as HEAD")
    asked = parser.parse_args()
    try:
        versions.refuse_shallow(TEMPLATE)
        tag(asked.branch) if asked.command == "tag" else release(asked.version)
    except subprocess.CalledProcessError as failure:
        sys.exit(f"git failed: {failure.stderr.strip()}")
    except subprocess.TimeoutExpired as late:
        sys.exit(f"git took longer than {late.timeout:.0f} s. Type the command again.")
    except (OSError, ValueError, KeyError) as failure:
        sys.exit(f"The release stopped: {type(failure).__name__}: {failure}. Solve that, and type the command again.")
    except KeyboardInterrupt:
        sys.exit("\nStopped. Type the command again to go on.")


if __name__ == "__main__":
    main()
