"""Update a commit of a service to another version of the template."""

from __future__ import annotations

from dataclasses import dataclass

from fleet.bakery import Bakery
from fleet.facts import Facts, Link, known_answers
from fleet.merge import Sides, merge, without
from fleet.service import Service
from fleet.target import Target, leads_to, origin_at, refuse_unknown
from go_service_answers.link import LINK


@dataclass(frozen=True)
class Update:
    """What an update makes of a commit of a service. The lists have names of files in the service."""

    commit: str
    tree: str  # of the service's folder, with the old link
    link: bytes  # the new one
    changed: list[str]
    edited: list[str]  # those that the update changes and the team has edited or moved
    left_out: list[str]  # those that the template has changed and the team has deleted
    conflicts: list[str]


def has_update(link: Link, target: Target) -> bool:
    """Report whether the target changes services of this link. Raises FleetError if the link's commit is not known."""
    refuse_unknown(link.commit, target)
    return leads_to(link.commit, target.commit)


def update(service: Service, commit: str, bakery: Bakery, target: Target) -> Update:
    """Merge what the template has changed since the link with what the team has changed. Raises FleetError."""
    workspace, facts = service.workspace, service.facts(commit)
    link = facts.link()
    refuse_unknown(link.commit, target)
    old = bakery.bake(link.commit, answers_of(link, link.commit, facts))
    new = bakery.bake(target.commit, answers_of(link, target.commit, facts))
    sides = Sides(old.tree, service.tree(commit), new.tree)
    known = {**workspace.files(sides.base), **workspace.files(sides.theirs)}
    sides = without(workspace, sides, [name for name in known if name == LINK or link.skips(name)])
    merged = merge(workspace, sides, str(target))
    changed = workspace.differences(sides.ours, merged.tree)
    theirs_differ = workspace.differences(sides.base, sides.ours)
    edited = [name for name, change in theirs_differ.items() if change.entry and name in {*changed, *merged.conflicts}]
    return Update(
        commit,
        merged.tree,
        link.moved_to(target.commit, new.answers, new_address(link, target)),
        sorted(changed),
        sorted(edited),
        merged.left_out,
        merged.conflicts,
    )


def whole_tree(service: Service, done: Update) -> str:
    """Return the tree of the repository after an update."""
    return service.whole_tree(done.commit, done.tree, done.link)


def answers_of(link: Link, commit: str, facts: Facts) -> dict[str, str]:
    """Return the answers that a commit of the template asks for, with the module path that the team uses now.

    Both versions are made with it. Otherwise each import beside a new one would be a conflict after a rename.
    """
    answers = known_answers(link.answers, commit)
    if module := facts.module():
        answers["module_path"] = module
    return answers


def new_address(link: Link, target: Target) -> str:
    """Return where cruft finds the template. A service that moves to a fork gets the fork's address."""
    if origin_at(link.commit).name != target.origin.name:
        return target.origin.address
    return str(link.content.get("template") or target.origin.address)
