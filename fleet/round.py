"""One round over the services: what happens with each, and in which order."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fleet import branches, link, publish
from fleet.bakery import Bakery
from fleet.branches import USABLE, Branch, Plan
from fleet.facts import UnlinkedError
from fleet.git import plain_environment
from fleet.processes import FleetError, run
from fleet.report import Row, shown
from fleet.repository import Repository, branch_name, open_repository
from fleet.scratch import scratch
from fleet.service import Service
from fleet.target import Target, UnknownCommitError, origin_at
from fleet.update import Update, has_update, update, whole_tree
from go_service_answers.link import LINK
from tools.versions import Version

RUN_SECONDS = 1800.0


class OtherTemplateError(Exception):
    """A folder is a service of another template."""


class Round:
    """Looks at services, several at once."""

    def __init__(self, options: argparse.Namespace, target: Target, bakery: Bakery, scratch: Path) -> None:
        self._options, self._target, self._bakery, self._scratch = options, target, bakery, scratch
        self._finish: Callable[[Row, Service], None] = self._link if options.link else self._update
        self._first: dict[tuple[Path, str], str] = {}  # repository and path in it: the first service found there

    def rows(self, services: dict[str, Path], pool: ThreadPoolExecutor) -> Iterator[Row]:
        """Yield a row for each service, in their order. Services of another template have none."""
        opened = list(pool.map(self._open, services.values()))
        for name, repository in zip(services, opened, strict=True):
            if isinstance(repository, Repository):
                self._first.setdefault((repository.directory, repository.prefix), name)
        for row in pool.map(self._row, services, services.values(), opened):
            if row is not None:
                yield row

    def _open(self, path: Path) -> Repository | FleetError:
        try:
            return open_repository(path, self._options.folder)
        except FleetError as failure:
            return failure

    def _row(self, name: str, path: Path, repository: Repository | FleetError) -> Row | None:
        """Return what there is to say about a service. A failure does not stop the others."""
        row = Row(name, str(path), target=str(self._target))
        try:
            if isinstance(repository, FleetError):
                raise repository
            row.base, row.remote = repository.branch, publish.Remote(repository.remote).shown()
            with scratch("service-", self._scratch) as folder:
                self._finish(row, Service.open(repository, self._bakery, folder / "merge.git"))
        except OtherTemplateError:
            return None
        except FleetError as failure:
            row.fail(f"failed: {failure}")
        except Exception as failure:  # a defect of this tool must not hide the other rows
            row.fail(f"failed: {type(failure).__name__}: {failure}")
        return row

    def _update(self, row: Row, service: Service) -> None:
        """Report on an update, and make its branch if that is wanted."""
        if self._is_up_to_date(row, service):
            row.state, row.outcome, row.ok = "up to date", "up to date", True
        if row.state in {"up to date", "unlinked"}:
            return
        done = self._update_of(service, service.repository.head)
        row.changed, row.edited, row.left_out, row.conflicts = done.changed, done.edited, done.left_out, done.conflicts
        row.ok = not done.conflicts
        row.state = "conflict" if done.conflicts else "update"
        row.outcome = f"conflict in {', '.join(done.conflicts)}" if done.conflicts else "updates without conflict"
        if self._options.run and row.ok:
            self._run(row, service, whole_tree(service, done))
        name = f"{self._target}-draft" if done.conflicts else str(self._target)
        title = f"Follow the template from {row.version} to {self._target}"
        files = "\n".join(f"- {shown(file)}" for file in done.conflicts)
        plan = Plan(
            branch_name(name, service.repository.prefix),
            f"Draft: {title}" if done.conflicts else title,
            f"These files have marks of a conflict:\n\n{files}" if done.conflicts else "",
            self._target.commit,
            lambda commit: whole_tree(service, done if commit == done.commit else self._update_of(service, commit)),
            is_draft=bool(done.conflicts),
        )
        self._branch(row, service, plan)

    def _update_of(self, service: Service, commit: str) -> Update:
        return update(service, commit, self._bakery, self._target)

    def _is_up_to_date(self, row: Row, service: Service) -> bool:
        """Report whether a service needs no update. Says which version it has, and whether it is linked."""
        facts = service.facts(service.repository.head)
        if origin := facts.origin():
            self._say_version(row, origin.version)
        try:
            its_link = facts.link()
            is_up_to_date = not has_update(its_link, self._target)
        except UnlinkedError:
            row.state = "unlinked"
            is_there = os.path.lexists(service.repository.folder / LINK)
            row.outcome = f"its {LINK} is not committed" if is_there else "not linked: type tools/fleet link"
            return False
        except UnknownCommitError:
            if origin is None:
                raise OtherTemplateError from None
            raise
        self._say_version(row, origin_at(its_link.commit).version)
        return is_up_to_date

    def _say_version(self, row: Row, version: Version) -> None:
        row.version, row.behind = str(version), self._target.behind(version)

    def _run(self, row: Row, service: Service, tree: str) -> None:
        """Run the caller's command in a folder with the result."""
        with scratch("run-", self._scratch) as folder:
            service.workspace.check_out(tree, folder)
            place, command = folder / service.repository.prefix, self._options.run
            done = run(["sh", "-c", command], place, plain_environment(), name=command, seconds=RUN_SECONDS)
        row.run = f"failed with status {done.status}: {done.complaint}" if done.status else "passed"
        row.add(f"{self._options.run} {row.run}")
        if done.status:
            row.state, row.ok = "broken", False

    def _link(self, row: Row, service: Service) -> None:
        """Find out what a service was made from, and make a branch that says it if that is wanted."""
        facts = service.facts(service.repository.head)
        if origin := facts.origin():
            self._say_version(row, origin.version)
        try:
            facts.link()
        except UnlinkedError:
            found = link.find(service, self._bakery)
        else:
            row.state, row.outcome, row.ok = "linked", "linked already", True
            return
        row.state, row.ok = "link", True
        row.answers, row.differs = found.answers, found.differs
        defaults = self._bakery.bake(found.commit, {}).answers
        said = [f"{name}={answer}" for name, answer in found.answers.items() if answer != defaults[name]]
        row.outcome = f"made with {', '.join(said) or 'the defaults'}"
        if found.guessed:
            row.add(f"nothing in it says its {' and '.join(found.guessed)}: the default was taken")
        plan = Plan(
            branch_name("link", service.repository.prefix),
            f"Link the service to version {row.version} of its template",
            f"{LINK} says what it was made from, so that it can follow the template.",
            found.commit,
            lambda commit: link.linked(service, commit, found),
        )
        self._branch(row, service, plan)

    def _branch(self, row: Row, service: Service, plan: Plan) -> None:
        """Make the branch if that is wanted, otherwise look how it stands. Publish it if that is wanted."""
        repository = service.repository
        first = self._first[repository.directory, repository.prefix]
        is_wanted = self._options.branch and (row.ok or (self._options.drafts and row.conflicts))
        if first != row.service:
            row.add(f"it is the same repository as {first}, which gets the branch")
            return
        branch = branches.make(service, plan, self._options.refresh) if is_wanted else branches.look(service, plan)
        if branch is None:
            return
        row.branch, row.branch_state, row.commit = plan.name, branch.state, branch.commit
        made_from = f" from {repository.branch or 'HEAD'}" if branch.state in {"new", "made anew"} else ""
        row.add(f"branch {plan.name} {branches.SAYS[branch.state]}{made_from}")
        if is_wanted and branch.state not in USABLE:
            row.ok = False
        elif is_wanted and self._options.push:
            self._publish(row, service, branch, plan)

    def _publish(self, row: Row, service: Service, branch: Branch, plan: Plan) -> None:
        """Push a branch, and open its request if that is wanted."""
        try:
            publish.push(service, plan.name, branch)
            row.pushed = True
            row.add("pushed")
        except FleetError as failure:
            row.ok = False
            row.add(f"not pushed: {failure}")
            return
        if not self._options.open:
            return
        try:
            row.request = publish.open_request(service, self._request(row, service, plan), self._options.using)
            row.add(f"opened {row.request}".strip())
        except FleetError as failure:
            row.ok = False
            row.add(f"not opened: {failure}")

    def _request(self, row: Row, service: Service, plan: Plan) -> publish.Request:
        repository = service.repository
        lists = {
            "Solve these conflicts": row.conflicts,
            "Files that you have edited": row.edited,
            "Changes left out, because you have deleted the file": row.left_out,
        }
        news = {} if self._options.link else self._target.news_since(row.version)
        return publish.Request(
            plan.title,
            publish.body(f"{plan.title}.", news, lists),
            plan.name,
            base=repository.branch or repository.default_branch(),
            labels=self._options.label,
            reviewers=service.facts(repository.head).reviewers(),
            is_draft=plan.is_draft,
        )
