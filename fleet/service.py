"""One service: its repository, and a workspace that reads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from fleet.bakery import Bakery
from fleet.facts import LARGEST, READ, Facts
from fleet.git import author_settings, caller_environment, git, output_of, settings
from fleet.repository import Repository
from fleet.workspace import Entry, Workspace
from go_service_answers.link import LINK


@dataclass(frozen=True)
class Service:
    """A service, as its last commit has it. Its work tree and its index are not read."""

    repository: Repository
    workspace: Workspace
    _facts: dict[str, Facts] = field(default_factory=dict)  # by commit

    @classmethod
    def open(cls, repository: Repository, bakery: Bakery, folder: Path) -> Service:
        """Create the workspace in a new folder."""
        alternates = [bakery.objects, repository.directory / "objects"]
        return cls(repository, Workspace.create(folder, alternates, repository.shallow))

    def facts(self, commit: str) -> Facts:
        if commit not in self._facts:
            self._facts[commit] = self._read(commit)
        return self._facts[commit]

    def _read(self, commit: str) -> Facts:
        prefix = self.repository.prefix
        files = self.workspace.read_files(commit, [f"{prefix}{name}" for name in READ], LARGEST)
        return Facts({name.removeprefix(prefix): content for name, content in files.items()})

    def tree(self, commit: str) -> str:
        """Return the tree of the service's folder."""
        return self.workspace.tree(commit, self.repository.prefix)

    def whole_tree(self, commit: str, tree: str, link: bytes) -> str:
        """Return the tree of the repository, with this tree in the service's folder and this content in the link."""
        changes = self.workspace.differences(self.tree(commit), tree)
        entries = {name: change.entry for name, change in changes.items()}
        entries[LINK] = Entry("100644", self.workspace.blob(link))
        return self.workspace.edited(commit, {f"{self.repository.prefix}{name}": entries[name] for name in entries})

    def commit(self, tree: str, message: str) -> str:
        """Commit a tree on top of the last commit, with the author and the signature of the person at work."""
        author = author_settings(self.repository.folder)
        sign = ["-S"] if author.get("commit.gpgsign", "").lower() in {"true", "yes", "on", "1"} else []
        environment = {**caller_environment(), **settings(author), "GIT_DIR": str(self.workspace.folder)}
        words = ["commit-tree", tree, "-p", self.repository.head, *sign]
        return output_of(git(self.workspace.folder, *words, stdin=message.encode(), environment=environment)).strip()


Remake = Callable[[str], str]  # from a commit of the service to the tree that the tool makes of it
