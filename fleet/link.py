"""Find out what a service was made with, when it does not say so.

Each question has a probe: an answer that nothing else looks like. Where a bake of that version has the probe, the
service has its own answer. Most places decide. Of choices, the one whose files have most lines in common is right.
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
MOST_LINES = 2000  # of a file of the service

Files = dict[str, Entry]


@dataclass(frozen=True)
class Found:
    """What a service was made with."""

    commit: str  # of the template
    answers: dict[str, str]
    differs: list[str]  # the files that the team has edited or deleted since
    guessed: list[str]  # the questions that have the default answer, because no file has the team's


def find(service: Service, bakery: Bakery) -> Found:
    """Find the answers that made a service. Raises FleetError."""
    head = service.repository.head
    commit = _release_of(service)
    tree = service.tree(head)
    files = service.workspace.files(tree)
    answers = dict(_texts(service, bakery, commit, files))
    guessed = [
        question for question, choices in questions_at(commit).items() if not choices and question not in answers
    ]
    for question, choices in questions_at(commit).items():
        if choices:
            bakes = {c: service.workspace.files(bakery.bake(commit, {**answers, question: c}).tree) for c in choices}
            answers[question] = _most_like(service, bakes, files)
    complete = bakery.bake(commit, answers).answers
    changes = service.workspace.differences(bakery.bake(commit, complete).tree, tree)
    differs = sorted(name for name, change in changes.items() if change.status != "A" and name != LINK)
    return Found(commit, complete, differs, guessed)


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


def _texts(service: Service, bakery: Bakery, commit: str, files: Files) -> Iterator[tuple[str, str]]:
    """Yield the questions that are answered by a text, each with the answer that most places of the service have."""
    asked = {question: PROBES[question] for question, choices in questions_at(commit).items() if not choices}
    votes: dict[str, Counter[str]] = {question: Counter() for question in asked}
    probed = service.workspace.files(bakery.bake(commit, asked).tree)
    for name in probed.keys() & files.keys():
        lines, own_lines = _lines(service, probed[name]), _lines(service, files[name])
        for line in lines:
            for question, pattern in _pattern(line, asked):
                if sum(map(bool, map(pattern.fullmatch, lines))) == 1:
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
        before, after = map(re.escape, line.split(probes[present[0]]))
        is_word = " " not in probes[present[0]]  # then a team may have added words, such as another owner
        yield present[0], re.compile(rf"{before}(\S+?){after}(?:\s.*)?" if is_word else f"{before}(.+){after}")


def _unescaped(line: str, probe: str, answer: str) -> str:
    """Return an answer without the escapes that it has between double quotes."""
    if f'"{probe}"' in line:
        try:
            return str(json.loads(f'"{answer}"'))
        except ValueError:
            pass
    return answer


def _most_like(service: Service, bakes: dict[str, Files], files: Files) -> str:
    """Return the choice whose bake has most lines in common with a service, in the files that depend on the choice."""
    depending = [name for name in files if len({baked.get(name) for baked in bakes.values()}) > 1]

    def common_lines(choice: str) -> int:
        both = [name for name in depending if name in bakes[choice]]
        pairs = ((_lines(service, bakes[choice][name]), _lines(service, files[name])) for name in both)
        return sum(len(list((Counter(made) & Counter(own)).elements())) for made, own in pairs)

    return max(bakes, key=common_lines)
