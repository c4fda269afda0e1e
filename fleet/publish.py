"""Push a branch, and open a pull or merge request for it."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from fleet.branches import Branch
from fleet.git import caller_environment, git, output_of, plain_environment
from fleet.processes import FleetError, run
from fleet.report import shown
from fleet.service import Service

SECONDS = 300.0
PROTOCOLS = "https:ssh"  # unless the caller sets https://git-scm.com/docs/git#Documentation/git.txt-GITALLOWPROTOCOL
LONGEST_BODY = 60_000  # characters; GitHub refuses more than 65,536
COMMANDS = ["gh", "glab"]


@dataclass(frozen=True)
class Request:
    """A pull request (GitHub) or merge request (GitLab)."""

    title: str
    body: str
    branch: str
    base: str
    labels: Sequence[str]
    reviewers: Sequence[str]
    is_draft: bool


class Remote:
    """The address of a repository on a server, such as git@github.com:acme/orders.git."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.is_url = "://" in address
        parts = _parts(address) if self.is_url else None
        short = re.fullmatch(r"(?:[\w.-]+@)?([\w.-]+):([^:]+)", address)
        self.host = (parts.hostname or "") if parts else short[1] if short else ""
        path = parts.path if parts else short[2] if short else ""
        self.path = path.strip("/").removesuffix(".git")

    def shown(self) -> str:
        """Return the address without a user's name and password. Tokens often stand there."""
        return re.sub("://.*@", "://", self.address) if self.is_url else self.address

    def command(self, wanted: str | None) -> str:
        """Return "gh" or "glab": the wanted one, or the one for the name of the host. Raises FleetError."""
        if not self.host or not re.fullmatch(r"[\w./-]+", self.path):
            raise FleetError(f"{self.shown() or 'a missing remote'} is no repository on GitHub or GitLab")
        by_host = "glab" if "gitlab" in self.host else "gh" if "github" in self.host else ""
        command = wanted or by_host
        if not command:
            raise FleetError(f"{self.host} may be GitHub or GitLab: add --using gh or --using glab")
        if not shutil.which(command):
            raise FleetError(f"there is no {command} command")
        return command


def _parts(address: str) -> SplitResult | None:
    """Return the parts of a URL, or None if it is broken."""
    try:
        return urlsplit(address)
    except ValueError:
        return None


def push(service: Service, name: str, branch: Branch) -> None:
    """Push a branch. What the remote has is replaced only if it is the branch before it was made anew."""
    remote = Remote(service.repository.remote)
    if not remote.address:
        raise FleetError("it has no remote")
    environment = {
        "GIT_ALLOW_PROTOCOL": PROTOCOLS,
        **caller_environment(),
        "GIT_DIR": str(service.workspace.folder),
    }

    def ask(*words: str) -> str:
        done = git(service.workspace.folder, *words, environment=environment, seconds=SECONDS)
        try:
            return output_of(done)
        except FleetError as failure:
            raise FleetError(str(failure).replace(remote.address, remote.shown())) from None

    reference = f"refs/heads/{name}"
    listed = ask("ls-remote", "--end-of-options", remote.address, reference).splitlines()
    there = next((line.split("\t")[0] for line in listed if line.endswith(f"\t{reference}")), "")
    if there == branch.commit:
        return
    lease = [f"--force-with-lease={reference}:{there}"] if there == branch.previous else []
    ask("push", "--quiet", *lease, "--end-of-options", remote.address, f"{branch.commit}:{reference}")


def open_request(service: Service, request: Request, wanted: str | None) -> str:
    """Open a request, or bring the open one up to date. Return its address. Raises FleetError."""
    remote = Remote(service.repository.remote)
    command = remote.command(wanted)
    if not request.base:
        raise FleetError("HEAD is detached, and origin has no default branch: which branch should it be merged into?")
    folder = service.workspace.folder / "request"
    folder.mkdir(exist_ok=True)
    host = Host(command, remote, folder)
    found = host.requests(request.branch)
    if opened := next((known for known in found if known.state.lower() in {"open", "opened"}), None):
        host.edit(opened, request)
        return opened.address
    if found:
        raise FleetError(f"{found[0].address or 'its request'} is {found[0].state.lower()}, so none was opened")
    return host.create(request)


@dataclass(frozen=True)
class Known:
    """A request that is there."""

    number: str
    state: str
    address: str


@dataclass(frozen=True)
class Host:
    """GitHub by gh (https://cli.github.com/manual), or GitLab by glab (https://docs.gitlab.com/cli)."""

    command: str
    remote: Remote
    folder: Path  # an empty one: both commands read the repository that they run in

    def _run(self, *words: str) -> str:
        is_gh = self.command == "gh"
        repository = f"{self.remote.host}/{self.remote.path}"
        where = ["--repo", repository if is_gh else f"https://{repository}"]
        quiet = {"GH_PROMPT_DISABLED": "1", "NO_PROMPT": "1", "NO_COLOR": "1", "GIT_CEILING_DIRECTORIES": "/"}
        environment = {**plain_environment(), **quiet}
        kind = "pr" if is_gh else "mr"
        command = [self.command, kind, *words, *where]
        return output_of(run(command, self.folder, environment, name=f"{self.command} {kind}", seconds=SECONDS))

    def requests(self, branch: str) -> list[Known]:
        """Return the requests for a branch of the repository itself, not of a fork, the newest first."""
        if self.command == "gh":
            fields = "number,state,url,isCrossRepository"
            listed = self._run("list", "--head", branch, "--state", "all", "--json", fields)
        else:
            listed = self._run("list", "--source-branch", branch, "--all", "--output", "json")
        return [
            Known(str(entry.get("iid") or entry.get("number")), str(entry.get("state")), _address(entry))
            for entry in _json_list(listed)
            if not _is_of_a_fork(entry)
        ]

    def create(self, request: Request) -> str:
        labels = [word for label in request.labels for word in ("--label", label)]
        reviewers = [word for reviewer in self._reviewers(request) for word in ("--reviewer", reviewer)]
        draft = ["--draft"] if request.is_draft else []
        where = {"gh": ("--head", "--base"), "glab": ("--source-branch", "--target-branch")}[self.command]
        branches = [where[0], request.branch, where[1], request.base]
        yes = ["--yes"] if self.command == "glab" else []
        printed = self._run("create", *branches, *self._texts(request), *labels, *reviewers, *draft, *yes)
        addresses = re.findall(r"https://\S+", printed)
        return addresses[-1] if addresses else ""

    def edit(self, known: Known, request: Request) -> None:
        self._run("edit" if self.command == "gh" else "update", known.number, *self._texts(request))

    def _reviewers(self, request: Request) -> list[str]:
        """Return who can review. On GitLab groups cannot."""
        return [name for name in request.reviewers if self.command == "gh" or "/" not in name]

    def _texts(self, request: Request) -> list[str]:
        if self.command == "glab":
            return ["--title", request.title, "--description", request.body]
        (self.folder / "body.md").write_text(request.body, encoding="utf-8", errors="backslashreplace")
        return ["--title", request.title, "--body-file", str(self.folder / "body.md")]


def _json_list(text: str) -> list[dict[str, Any]]:
    try:
        listed = json.loads(text or "[]")
    except ValueError:
        return []
    return [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []


def _is_of_a_fork(entry: dict[str, Any]) -> bool:
    return bool(entry.get("isCrossRepository")) or entry.get("source_project_id") != entry.get("target_project_id")


def _address(entry: dict[str, Any]) -> str:
    return str(entry.get("url") or entry.get("web_url") or "")


def body(introduction: str, news: Mapping[str, str], lists: Mapping[str, Sequence[str]]) -> str:
    """Return the text of a request: an introduction, the template's news and lists of files by their headings."""
    parts = [introduction]
    parts += [f"## {heading}\n\n{text}" for heading, text in news.items() if text]
    for heading, names in lists.items():
        if names:
            lines = "\n".join(f"- `{shown(name).replace('`', '?')}`" for name in names)
            parts.append(f"## {heading}\n\n{lines}")
    return "\n\n".join(parts)[:LONGEST_BODY] + "\n"
