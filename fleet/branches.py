"""The branch with an update: make it, or say how one stands that is there already."""

from __future__ import annotations

from dataclasses import dataclass

from fleet.processes import FleetError
from fleet.service import Remake, Service

SAYS = {
    "new": "made",
    "made anew": "made anew",
    "up to date": "is up to date",
    "stale": "is stale, because the service went on: --refresh makes it anew",
    "edited": "is stale and has commits of its team, so it was not made anew",
    "merged": "was merged, and the update was taken back since: --refresh makes it anew",
}
USABLE = {"new", "made anew", "up to date"}  # the branch has the update of the last commit


@dataclass(frozen=True)
class Branch:
    """A branch in a service's repository."""

    state: str  # a key of SAYS
    commit: str
    previous: str = ""  # the commit before it was made anew


@dataclass(frozen=True)
class Plan:
    """A branch that the service should have, and its request."""

    name: str
    title: str  # of the commit and of the request
    details: str  # the rest of the commit's message
    template: str  # the commit of the template that the link on the branch names
    remake: Remake
    is_draft: bool = False


def look(service: Service, plan: Plan) -> Branch | None:
    """Return the branch as it stands, or None if there is none. One that was only fetched counts too."""
    head, workspace = service.repository.head, service.workspace
    tips = [reference.commit for reference in service.repository.references(plan.name)]
    if not tips:
        return None
    tip = tips[0]
    for other in tips[1:]:
        tip = other if workspace.is_ancestor(tip, other) else tip
    if workspace.is_ancestor(tip, head):
        return Branch("merged", tip)
    is_current = workspace.is_ancestor(head, tip) and service.facts(tip).link().commit == plan.template
    return Branch("up to date" if is_current else "stale", tip)


def make(service: Service, plan: Plan, refresh: bool) -> Branch:
    """Make the branch. With `refresh`, make a stale one anew, unless it has commits that the tool has not made."""
    found = look(service, plan)
    here = {r.name: r for r in service.repository.references(plan.name)}.get(f"refs/heads/{plan.name}")
    old = here.commit if here else ""
    if found and found.state == "up to date":
        if not here:
            service.repository.set_branch(plan.name, found.commit, old)
        return found
    if found and not refresh:
        return found
    if found and found.state == "stale" and not _is_own(service, plan, found.commit):
        return Branch("edited", found.commit)
    if here and here.is_checked_out:
        raise FleetError(f"the branch {plan.name} is checked out, so it was not made anew")
    message = f"{plan.title}\n\n{plan.details}".strip() + "\n"
    commit = service.commit(plan.remake(service.repository.head), message)
    pack = service.workspace.pack(commit, service.repository.head)
    service.repository.set_branch(plan.name, commit, old, pack)
    return Branch("made anew", commit, found.commit) if found else Branch("new", commit)


def _is_own(service: Service, plan: Plan, tip: str) -> bool:
    """Report whether a branch is exactly what the tool makes of an older commit of the service."""
    workspace = service.workspace
    try:
        (parent,) = workspace.parents(tip)
        is_of_service = workspace.is_ancestor(parent, service.repository.head)
        return is_of_service and plan.remake(parent) == workspace.tree(tip, "")
    except Exception:
        return False
