"""The versions of the template: what a service says of its own, and the commit of each in a repository.

A version is the first commit that says so in the file that services get as `.template`, so that a clone without tags
has them all. Between two releases the file says `-dev`: such a commit is none. https://semver.org
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import NamedTuple

TEMPLATE = Path(__file__).resolve().parent.parent
SERVICE = "{{cookiecutter.service_name}}"
FILE = f"{SERVICE}/.template"


class Version(NamedTuple):
    """A version by SemVer; of pre-releases there is one, -dev, which comes before its release."""

    major: int
    minor: int
    patch: int
    is_release: bool = True

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}{'' if self.is_release else '-dev'}"


class Origin(NamedTuple):
    """What the file says: by which template, in which version, and where that is published."""

    name: str
    version: Version
    address: str


def version(text: str) -> Version:
    """Read a version such as 1.2.3 or 1.2.3-dev; anything else is a ValueError."""
    found = re.fullmatch(r"(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(-dev)?", text)
    if not found:
        raise ValueError(f"{text[:60]!r} is no version such as 1.2.3")
    return Version(int(found[1]), int(found[2]), int(found[3]), is_release=not found[4])


def origin(text: str) -> Origin:
    """Read the file; a ValueError says what is wrong with it."""
    words = text.split()
    if len(words) != 3:
        raise ValueError(".template has to have three words: name, version and address of the template")
    return Origin(words[0], version(words[1]), words[2])


def git(folder: Path, *words: str) -> str:
    """Return what git prints in a folder; a CalledProcessError has what it complained of in `stderr`."""
    return subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True).stdout


def origin_at(repository: Path, commit: str) -> Origin:
    """Return what a commit of the template says of itself."""
    return origin(git(repository, "show", f"{commit}:{FILE}"))


def releases(repository: Path) -> dict[Version, str]:
    """Return the commit of each release of a template, the oldest first, as HEAD knows them."""
    found: dict[Version, str] = {}
    for commit in git(
        repository, "log", "--reverse", "--first-parent", "--diff-filter=AM", "--format=%H", "--", FILE
    ).split():
        says = origin_at(repository, commit).version
        if says.is_release:
            found.setdefault(says, commit)
    return found
