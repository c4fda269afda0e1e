"""The template's versions: what a service says about its own, and the commit of each release.

A release is the first commit whose `.template` file says that version, so a clone without tags knows all of them.
Between two releases the file says `-dev`. https://semver.org
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

TEMPLATE = Path(__file__).resolve().parent.parent
SERVICE = "{{cookiecutter.service_name}}"
ORIGIN = ".template"
FILE = f"{SERVICE}/{ORIGIN}"
PARTS = [SERVICE, "templates", "cookiecutter.json", "hooks", "go_service_answers"]  # a service is made of these

SECONDS = 120  # for one command of git that reads
# In English, without asking anybody, and without locks that an interruption would leave behind.
IN_ENGLISH = {"LC_ALL": "C", "LANGUAGE": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}


class Version(NamedTuple):
    """A version by SemVer. The order is 1.2.3-dev, 1.2.3, then 1.2.3+acme.1 of a fork."""

    major: int
    minor: int
    patch: int
    is_release: bool = True
    fork_number: int = 0
    fork: str = ""

    def __str__(self) -> str:
        suffix = f"+{self.fork}.{self.fork_number}" if self.fork else "" if self.is_release else "-dev"
        return f"{self.major}.{self.minor}.{self.patch}{suffix}"


class Origin(NamedTuple):
    """The content of `.template`: the template's name, its version, and where it is published."""

    name: str
    version: Version
    address: str


def version(text: str) -> Version:
    """Read a version such as 1.2.3, 1.2.3-dev or 1.2.3+acme.1. Raises ValueError."""
    number = "(0|[1-9][0-9]{0,8})"
    found = re.fullmatch(rf"{number}\.{number}\.{number}(?:(-dev)|\+([a-z]+)\.{number})?", text)
    if not found:
        raise ValueError(f"{text[:60]!r} is not a version such as 1.2.3")
    major, minor, patch, dev, fork, fork_number = found.groups()
    return Version(int(major), int(minor), int(patch), not dev, int(fork_number or 0), fork or "")


def origin(text: str) -> Origin:
    """Read the content of `.template`. Raises ValueError."""
    words = text.split()
    if len(words) != 3:
        raise ValueError(".template must have three words: the template's name, version and address")
    return Origin(words[0], version(words[1]), words[2])


def git(folder: Path, *words: str, env: Mapping[str, str] = IN_ENGLISH) -> str:
    """Return what git prints in a folder. Raises CalledProcessError, with git's complaint in `stderr`."""
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
    """Return what `.template` says at a commit of the template."""
    return origin(git(repository, "show", f"{commit}:{FILE}"))


def releases(repository: Path, branch: str = "HEAD") -> dict[Version, str]:
    """Return the commit of each release on a branch of the template, the oldest first."""
    found: dict[Version, str] = {}
    for commit in git(repository, "rev-list", "--reverse", "--first-parent", branch, "--", FILE).split():
        try:
            says = origin_at(repository, commit).version
        except (ValueError, subprocess.CalledProcessError):
            continue  # a mistake in the past, or a commit without the file
        if says.is_release:
            found.setdefault(says, commit)
    return found


def newest(found: Iterable[Version]) -> Version | None:
    """Return the release that services are updated to, and that the next release follows. None: there is none."""
    return max(found, default=None)


def refuse_shallow(repository: Path) -> None:
    """End the program in a shallow clone, whose oldest commit would look like a release."""
    if git(repository, "rev-parse", "--is-shallow-repository").strip() == "true":
        sys.exit("This clone of the template lacks its history. Type: git fetch --unshallow")
