"""The commit of the template that services are updated to, and what this clone knows about others."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from functools import cache

from fleet.processes import FleetError
from tools import versions
from tools.versions import TEMPLATE, Version, git


class UnknownCommitError(FleetError):
    """A service was made from a commit that this clone of the template does not know, or does not trust."""


EXTENSION = "go_service_answers/extension.py"
PAGES = {"UPGRADING.md": "To do by hand", "CHANGELOG.md": "What is new"}


@dataclass(frozen=True)
class Target:
    """A commit of the template."""

    commit: str
    origin: versions.Origin  # its .template file

    def __str__(self) -> str:
        """Return the version if the commit is a release, otherwise the beginning of its hash."""
        version = self.origin.version
        return str(version) if releases().get(version) == self.commit else self.commit[:12]

    def behind(self, version: Version) -> int:
        """Return how many releases came after a version."""
        return sum(version < release <= self.origin.version for release in releases())

    def news_since(self, version: str) -> dict[str, str]:
        """Return what the template's pages say about the versions since then, by headings."""
        news = {}
        for page, heading in PAGES.items():
            sections = sections_of(git(TEMPLATE, "show", f"{self.commit}:{page}"))
            said = [text for name, text in sections if self._is_new(name, versions.version(version))]
            news[heading] = "\n\n".join(filter(None, said))
        return news

    def _is_new(self, name: str, since: Version) -> bool:
        if name == "Unreleased":
            return not self.origin.version.is_release
        try:
            return since < versions.version(name) <= self.origin.version
        except ValueError:
            return False


def sections_of(page: str) -> list[tuple[str, str]]:
    """Return name and content of the sections of a page whose headings are like "## [1.2.3] - 2026-01-31"."""
    parts = re.split(r"^## \[(\S+)\].*\n", page, flags=re.MULTILINE)[1:]
    return [(name, body.split("\n## ")[0].strip()) for name, body in zip(parts[::2], parts[1::2], strict=True)]


@cache
def releases() -> dict[Version, str]:
    return versions.releases(TEMPLATE)


def find_target(wanted: str | None) -> Target:
    """Return the wanted release or commit, by default the newest release. End the program if there is none."""
    versions.refuse_shallow(TEMPLATE)
    names = {str(version): commit for version, commit in releases().items()}
    newest = versions.newest(releases())
    if not wanted and newest is None:
        sys.exit("This clone of the template has no release. To compare with the last commit, add: --to HEAD")
    name = wanted or str(newest)
    try:
        commit = (
            names.get(name) or git(TEMPLATE, "rev-parse", "--verify", "--end-of-options", f"{name}^{{commit}}").strip()
        )
        return Target(commit, origin_at(commit))
    except subprocess.CalledProcessError:
        sys.exit(f"{name!r} is no release and no commit. The releases are: {', '.join(names) or 'none yet'}")


@cache
def origin_at(commit: str) -> versions.Origin:
    return versions.origin_at(TEMPLATE, commit)


@cache
def questions_at(commit: str) -> dict[str, list[str]]:
    """Return the questions at a commit, each with its choices, or without any when a text is the answer."""
    content = json.loads(git(TEMPLATE, "show", f"{commit}:cookiecutter.json"))
    asked = {name: default for name, default in content.items() if not name.startswith("_")}
    return {name: default if isinstance(default, list) else [] for name, default in asked.items()}


@cache
def runs_answers(commit: str) -> bool:
    """Report whether Cookiecutter takes answers for templates at a commit, as it does without the extension."""
    return not git(TEMPLATE, "ls-tree", "--name-only", commit, EXTENSION)


@cache
def leads_to(commit: str, target: str) -> bool:
    """Report whether this template changes services between a commit and a target. It is False for a later commit."""
    if not git(TEMPLATE, "rev-list", "-1", target, f"^{commit}"):
        return False
    return bool(git(TEMPLATE, "diff", "--name-only", commit, target, "--", *versions.PARTS))


@cache
def _is_ancestor(commit: str, of: str) -> bool:
    return (
        subprocess.run(["git", "merge-base", "--is-ancestor", commit, of], cwd=TEMPLATE, capture_output=True).returncode
        == 0
    )


def refuse_unknown(commit: str, target: Target) -> None:
    """Raise UnknownCommitError unless a commit belongs to the history of the target or of the last commit here.

    A clone may have other commits, such as those of a pull request. Their hooks must not run. Neither must those from
    before the first release, which were not written for answers from anybody.
    """
    if not any(_is_ancestor(commit, of) for of in (target.commit, "HEAD")):
        raise UnknownCommitError(
            f"made from {commit[:12]}, a commit that the history of this clone of the template does not have"
        )
    first = next(iter(releases().values()), None)
    if first and not _is_ancestor(first, commit):
        raise FleetError(f"made from {commit[:12]}, a commit from before the first release of the template")
