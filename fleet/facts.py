"""What the committed files of a service say. They are read as data: of any size, in any form, by anybody."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import translate
from functools import cached_property
from typing import Any

from fleet.processes import FleetError
from fleet.target import questions_at
from go_service_answers import rules
from go_service_answers.link import LINK, link_file
from tools import versions

OWNERS = [".github/CODEOWNERS", ".gitlab/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"]
READ = [LINK, versions.ORIGIN, "go.mod", *OWNERS]
LARGEST = 1 << 20  # bytes
LONGEST_ANSWER = 1000  # the template itself accepts less


MOST_SKIPPED = 1000
MOST_REVIEWERS = 15  # GitHub accepts no more


class UnlinkedError(Exception):
    """A service does not say which commit of the template it was made from."""

    def __str__(self) -> str:
        return "not linked"


@dataclass(frozen=True)
class Link:
    """The content of .cruft.json: https://cruft.github.io/cruft/"""

    commit: str  # of the template
    answers: dict[str, str]
    skipped: list[str]  # files, folders and patterns that no update changes
    content: dict[str, Any]

    @cached_property
    def _patterns(self) -> list[re.Pattern[str]]:
        return [re.compile(translate(path)) for path in self.skipped]

    def skips(self, name: str) -> bool:
        is_below = any(name.startswith(f"{path.rstrip('/')}/") for path in self.skipped)
        return is_below or any(pattern.match(name) for pattern in self._patterns)

    def moved_to(self, commit: str, answers: Mapping[str, str], address: str) -> bytes:
        """Return the file after an update. It has no answers of Cookiecutter's own, which cruft does not need."""
        return link_file(commit, answers, {**self.content, "template": address}).encode()


class Facts:
    """The files of a service that the tool reads."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files

    def text(self, name: str) -> str:
        """Return the text of a file, or "" if it is missing. Raises FleetError if it is not UTF-8."""
        try:
            return self._files.get(name, b"").decode("utf-8")
        except UnicodeDecodeError:
            raise FleetError(f"its {name} is not UTF-8") from None

    def origin(self) -> versions.Origin | None:
        """Return what .template says, or None without such a file. Raises FleetError."""
        if versions.ORIGIN not in self._files:
            return None
        try:
            return versions.origin(self.text(versions.ORIGIN))
        except ValueError as error:
            raise FleetError(f"its .template is broken: {error}") from None

    def link(self) -> Link:
        """Return what .cruft.json says. Raises UnlinkedError without such a file, and FleetError if it is broken."""
        if LINK not in self._files:
            raise UnlinkedError
        try:
            content = json.loads(self.text(LINK))
            json.dumps(content, ensure_ascii=False, allow_nan=False).encode()
            commit, answers, skipped = content["commit"], content["context"]["cookiecutter"], content.get("skip") or []
            is_sound = isinstance(answers, dict) and isinstance(commit, str) and isinstance(skipped, list)
            is_sound = is_sound and isinstance(content.get("template", ""), str)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            is_sound = False
        if not is_sound:
            raise FleetError("its .cruft.json is broken: git has an older one")
        if not re.fullmatch("[0-9a-f]{40}", commit):
            raise FleetError("its .cruft.json does not name a commit by its hash")
        if content.get("directory"):
            raise FleetError('its .cruft.json has a "directory", which this template has not')
        if not all(isinstance(path, str) for path in skipped):
            raise FleetError('"skip" in its .cruft.json is not a list of paths')
        if len(skipped) > MOST_SKIPPED:
            raise FleetError(f'"skip" in its .cruft.json has more than {MOST_SKIPPED} paths')
        return Link(commit, answers, skipped, content)

    def module(self) -> str:
        """Return the module path in go.mod, or "": https://go.dev/ref/mod#go-mod-file-module"""
        found = re.search(r'^module\s*\(?\s*["`]?([^\s"`()]+)', self.text("go.mod"), re.MULTILINE)
        return found[1] if found else ""

    def reviewers(self) -> list[str]:
        """Return the owners of all files, without @: https://docs.github.com/articles/about-code-owners"""
        text = next((self.text(name) for name in OWNERS if name in self._files), "")
        lines = [line.split("#")[0].split() for line in text.splitlines()]
        owners = next((words[1:] for words in reversed(lines) if words[:1] == ["*"]), [])
        accounts = [owner[1:] for owner in owners if re.fullmatch(rf"@{rules.ACCOUNT}(/{rules.ACCOUNT})*", owner)]
        return accounts[:MOST_REVIEWERS]


def known_answers(answers: Mapping[str, Any], commit: str) -> dict[str, str]:
    """Return the answers to the questions of a commit of the template. Raises FleetError if one is no answer."""
    known = {name: answer for name, answer in answers.items() if name in questions_at(commit)}
    for name, answer in known.items():
        if not isinstance(answer, str) or len(answer) > LONGEST_ANSWER:
            raise FleetError(f'"{name}" in its .cruft.json is no text of at most {LONGEST_ANSWER} characters')
        if (choices := questions_at(commit)[name]) and answer not in choices:
            raise FleetError(f'"{name}" in its .cruft.json must be {rules.one_of(choices)}')
    return known
