"""The versions of the template: what a service says of its own, and the commit of each in a repository.

A version is the first commit that says so in the file that services get as `.template`, so that a clone without tags
has them all. Between two releases the file says `-dev`: such a commit is none. https://semver.org
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

TEMPLATE = Path(__file__).resolve().parent.parent
SERVICE = "{{cookiecutter.service_name}}"
FILE = f"{SERVICE}/.template"
PARTS = [SERVICE, "templates", "cookiecutter.json", "hooks", "answers"]  # what a service is made of

SECONDS = 120  # for one command of git
IN_ENGLISH = {"LC_ALL": "C", "LANGUAGE": "C", "GIT_TERMINAL_PROMPT": "0"}  # and without a question to anybody


class Version(NamedTuple):
    """A version by SemVer: 1.2.3, 1.2.3-dev before it, and 1.2.3+acme.1 of a fork after it, in their order."""

    major: int
    minor: int
    patch: int
    is_release: bool = True
    of_fork: int = 0
    fork: str = ""

    def __str__(self) -> str:
        suffix = f"+{self.fork}.{self.of_fork}" if self.fork else "" if self.is_release else "-dev"
        return f"{self.major}.{self.minor}.{self.patch}{suffix}"


class Origin(NamedTuple):
    """What the file says: by which template, in which version, and where that is published."""

    name: str
    version: Version
    address: str


def version(text: str) -> Version:
    """Read a version such as 1.2.3, 1.2.3-dev or 1.2.3+acme.1; anything else is a ValueError."""
    number = "(0|[1-9][0-9]*)"
    found = re.fullmatch(rf"{number}\.{number}\.{number}(?:(-dev)|\+([a-z]+)\.{number})?", text)
    if not found:
        raise ValueError(f"{text[:60]!r} is no version such as 1.2.3")
    major, minor, patch, dev, fork, of_fork = found.groups()
    return Version(int(major), int(minor), int(patch), not dev, int(of_fork or 0), fork or "")


def origin(text: str) -> Origin:
    """Read the file; a ValueError says what is wrong with it."""
    words = text.split()
    if len(words) != 3:
        raise ValueError(".template has to have three words: name, version and address of the template")
    return Origin(words[0], version(words[1]), words[2])


def git(folder: Path, *words: str, env: Mapping[str, str] = IN_ENGLISH) -> str:
    """Return what git prints in a folder; a CalledProcessError has what it complained of in `stderr`."""
    done = subprocess.run(
        ["git", *words],
        cwd=folder,
        env={**os.environ, **env},
        timeout=SECONDS,
        stdin=subprocess.DEVNULL,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


def origin_at(repository: Path, commit: str) -> Origin:
    """Return what a commit of the template says of itself."""
    return origin(git(repository, "show", f"{commit}:{FILE}"))


def releases(repository: Path) -> dict[Version, str]:
    """Return the commit of each release of a template, the oldest first, as HEAD knows them."""
    found: dict[Version, str] = {}
    log = ["log", "--reverse", "--first-parent", "--diff-filter=AM", "--format=%H", "--", FILE]
    for commit in git(repository, *log).split():
        try:
            says = origin_at(repository, commit).version
        except ValueError:
            continue  # a mistake in the past, which stays in the history
        if says.is_release:
            found.setdefault(says, commit)
    return found


def refuse_shallow(repository: Path) -> None:
    """End the program in a clone that lacks history: its oldest commit would pass for a release."""
    if git(repository, "rev-parse", "--is-shallow-repository").strip() == "true":
        sys.exit("This clone of the template lacks its history. Type: git fetch --unshallow")
