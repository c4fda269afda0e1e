"""Find out what a service was made with, when it does not say so.

Each question has a probe: an answer that nothing else looks like. Where a bake of that version has the probe, the
service has its own answer. Most places decide. Of choices, the one that makes a service most like this one is right.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from fleet.bakery import Bakery
from fleet.processes import FleetError
from fleet.service import Service
from fleet.target import origin_at, questions_at, releases
from fleet.workspace import Entry
from go_service_answers.link import LINK, link_file

PROBES = {
    "service_name": "probe-of-the-name",
    "description": "Probe of the description.",
    "module_path": "probe.example/of/the-module",
    "owner": "@probe/of-the-owner",
    "http_port": "61997",
    "go_version": "1.997",
}
LEAST_AROUND = 4  # characters on the line of a probe, so that the line is like no other
MOST_LINES = 2000  # of a file of the service


@dataclass(frozen=True)
class Found:
    """What a service was made with."""

    commit: str  # of the template
    answers: dict[str, str]
    differs: list[str]  # the files that the team has edited or deleted since, or that another answer would explain


def find(service: Service, bakery: Bakery) -> Found:
    """Find the answers that made a service. Raises FleetError."""
    head = service.repository.head
    commit = _release_of(service)
    tree = service.tree(head)
    files = service.workspace.files(tree)
    answers = dict(_texts(service, bakery, commit, files))
    for question, choices in questions_at(commit).items():
        if choices:
            tried = {
                choice: _differing(service, bakery, commit, {**answers, question: choice}, tree) for choice in choices
            }
            answers[question] = min(tried, key=lambda choice: len(tried[choice]))
    complete = bakery.bake(commit, answers).answers
    return Found(commit, complete, _differing(service, bakery, commit, complete, tree))


def linked(service: Service, commit: str, found: Found) -> str:
    """Return the tree of the repository at a commit, with the link."""
    content = link_file(found.commit, found.answers, {"template": origin_at(found.commit).address})
    return service.whole_tree(commit, service.tree(commit), content.encode())


def _release_of(service: Service) -> str:
    """Return the commit of the release that made a service."""
    origin = service.facts(service.repository.head).origin()
    if origin is None:
        raise FleetError("it has neither .template nor .cruft.json")
    if commit := releases().get(origin.version):
        return commit
    raise FleetError(f"made from {origin.version}, which is no release here: its README says how to link it by hand")


def _texts(service: Service, bakery: Bakery, commit: str, files: dict[str, Entry]) -> Iterator[tuple[str, str]]:
    """Yield the questions that are answered by a text, each with the answer that most places of the service have."""
    asked = {question: PROBES[question] for question, choices in questions_at(commit).items() if not choices}
    votes: dict[str, Counter[str]] = {question: Counter() for question in asked}
    probed = service.workspace.files(bakery.bake(commit, asked).tree)
    for name in probed.keys() & files.keys():
        own_lines = _lines(service, files[name])
        for line in _lines(service, probed[name]):
            for question, pattern in _pattern(line, asked):
                matches = filter(None, map(pattern.fullmatch, own_lines))
                votes[question].update(_unescaped(line, asked[question], match[1]) for match in matches)
    for question, counted in votes.items():
        if counted:
            yield question, max(sorted(counted), key=lambda answer: counted[answer])


def _lines(service: Service, entry: Entry) -> list[str]:
    return service.workspace.read(entry.object).decode("utf-8", "replace").splitlines()[:MOST_LINES]


def _pattern(line: str, probes: dict[str, str]) -> Iterator[tuple[str, re.Pattern[str]]]:
    """Yield the question whose probe a line has, and a pattern for the same line with another answer."""
    present = [question for question, probe in probes.items() if probe in line]
    if len(present) == 1 and line.count(probes[present[0]]) == 1:
        before, after = line.split(probes[present[0]])
        if len(f"{before}{after}".replace(" ", "")) >= LEAST_AROUND:
            yield present[0], re.compile(f"{re.escape(before)}(.+){re.escape(after)}")


def _unescaped(line: str, probe: str, answer: str) -> str:
    """Return an answer without the escapes that it has between double quotes."""
    if f'"{probe}"' in line:
        try:
            return str(json.loads(f'"{answer}"'))
        except ValueError:
            pass
    return answer


def _differing(service: Service, bakery: Bakery, commit: str, answers: dict[str, str], tree: str) -> list[str]:
    """Return the template's files that a service does not have as these answers make them."""
    baked = bakery.bake(commit, answers).tree
    changes = service.workspace.differences(baked, tree)
    return sorted(name for name, change in changes.items() if change.status != "A" and name != LINK)
