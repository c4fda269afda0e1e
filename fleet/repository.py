"""A service's repository: where it is, and its references. The tool reads these, and adds a branch at the end."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from fleet.git import git, output_of, safe_environment
from fleet.processes import FleetError, finishing

LONGEST_ADDRESS = 1000
NOTHING = "0" * 40


@dataclass(frozen=True)
class Reference:
    """A branch of a service, here or as last fetched."""

    name: str  # with refs/heads/ or refs/remotes/ before it
    commit: str
    is_checked_out: bool


@dataclass(frozen=True)
class Repository:
    """The repository that a service's folder belongs to."""

    folder: Path  # of the service
    directory: Path  # .git, the same for all worktrees
    prefix: str  # the service's path in the repository, with a slash at its end; "" at the root
    head: str  # the commit that is checked out
    branch: str  # the branch that is checked out, or ""

    @property
    def top(self) -> Path:
        """The work tree's root, without symbolic links."""
        return Path(os.path.realpath(self.folder)[: -len(self.prefix) or None])

    def _git(self, *words: str, stdin: bytes = b"", accepted: int = 0) -> str:
        return output_of(git(self.folder, *words, environment=safe_environment(), stdin=stdin), accepted)

    @cached_property
    def remote(self) -> str:
        """The address of the branch's remote, of origin, or of the only remote. "" if there is none."""
        listed = self._git(
            "config", "--local", "--includes", "-z", "--get-regexp", r"^(remote\..*\.url|branch\..*\.remote)$",
            accepted=1,
        )  # fmt: skip
        values = dict(entry.split("\n", 1) for entry in reversed(listed.split("\0")) if "\n" in entry)
        addresses = {name[7:-4]: value for name, value in values.items() if name.startswith("remote.")}
        wanted = [values.get(f"branch.{self.branch}.remote", ""), "origin", *addresses]
        address = next((addresses[name] for name in wanted if name in addresses), "")
        return address if address.isprintable() and len(address) <= LONGEST_ADDRESS else ""

    @cached_property
    def shallow(self) -> bytes:
        """The commits at which the history of a shallow clone ends, a line for each."""
        lines = read_regular(self.directory / "shallow", most=1 << 20).split()
        return b"".join(line + b"\n" for line in lines if re.fullmatch(b"[0-9a-f]{40}", line))

    def default_branch(self) -> str:
        """Return the default branch of origin as last fetched, or ""."""
        named = self._git("symbolic-ref", "--quiet", "refs/remotes/origin/HEAD", accepted=1).strip()
        return named.removeprefix("refs/remotes/origin/")

    def references(self, branch: str) -> Iterator[Reference]:
        """Yield a branch, here first, then as last fetched. Raises FleetError if it is a symbolic reference."""
        fields = "%(refname)%00%(objectname)%00%(symref)%00%(worktreepath)%00%00"
        wanted = [f"refs/heads/{branch}", f"refs/remotes/*/{branch}"]
        for entry in self._git("for-each-ref", f"--format={fields}", *wanted).split("\0\0\n"):
            if entry:
                name, commit, symref, worktree = f"{entry}\0\0\0".split("\0")[:4]
                if name != wanted[0] and name.split("/", 3)[3] != branch:
                    continue  # git also lists branches below, such as template-1.2.0/fix
                if symref:
                    raise FleetError(f"its branch {branch} is another name for {symref}")
                yield Reference(name, commit, is_checked_out=bool(worktree))

    def set_branch(self, branch: str, commit: str, old: str, objects: bytes = b"") -> None:
        """Let a branch name a commit, and add the objects that it needs, as a pack. The branch must name `old` so far.

        Without `old`, there must be no such branch. Nothing else in the repository changes.
        """
        references = f"refs/heads/{branch}", f"logs/refs/heads/{branch}", "logs/HEAD", "reftable/tables.list"
        self._refuse_symbolic_links(*references)
        with finishing():
            if objects:
                self._write("index-pack", "--stdin", "--fix-thin", stdin=objects)
            self._write("update-ref", "--no-deref", f"refs/heads/{branch}", commit, old or NOTHING)

    def _refuse_symbolic_links(self, *written: str) -> None:
        """Raise FleetError if git would write somewhere else, because a file or a folder above it is a link."""
        for place in written:
            for path in [place, *map(str, list(Path(place).parents)[:-1])]:
                if (self.directory / path).is_symlink():
                    raise FleetError(f"its .git/{path} is a symbolic link")

    def _write(self, *words: str, stdin: bytes = b"") -> None:
        """Run git in the .git folder: in a subfolder of a repository, index-pack of git 2.39 makes another one."""
        environment = {**safe_environment(), "GIT_DIR": str(self.directory)}
        output_of(git(self.directory, *words, environment=environment, stdin=stdin))


def open_repository(folder: Path, searched: Path) -> Repository:
    """Return the repository of a service in a folder that was searched. Raises FleetError if there is none."""

    def ask(*words: str, accepted: int = 0) -> str:
        return output_of(git(folder, *words, environment=safe_environment()), accepted)

    _refuse_pipes(folder / ".git")
    directory = Path(ask("rev-parse", "--path-format=absolute", "--git-common-dir").removesuffix("\n"))
    found = git(folder, "rev-parse", "HEAD", "--show-prefix", environment=safe_environment())
    if found.status:
        raise FleetError("it has no commit")
    head, prefix = found.output.split("\n", 1)
    if not re.fullmatch("[0-9a-f]{40}", head):
        raise FleetError("its repository uses SHA-256, which this tool cannot read")
    branch = ask("symbolic-ref", "--quiet", "HEAD", accepted=1).removesuffix("\n").removeprefix("refs/heads/")
    repository = Repository(folder, directory, prefix.removesuffix("\n"), head, branch)
    if not _has_work_tree(directory, repository.top, searched, ask):
        raise FleetError("its .git leads to a repository elsewhere that does not know of it")
    _refuse_borrowed_objects(directory / "objects")
    return repository


def _refuse_pipes(directory: Path) -> None:
    """Raise FleetError if git would wait for a pipe, or read a device without end."""
    for place in (directory, directory / "objects/info", directory / "info"):
        for file in place.iterdir() if place.is_dir() else ():
            if file.exists() and not (file.is_file() or file.is_dir()):
                raise FleetError(f"its .git has a pipe or a device: {file.name}")


def _has_work_tree(directory: Path, top: Path, searched: Path, ask: Callable[..., str]) -> bool:
    """Report whether a repository is the one of a work tree, and not one that the .git of another leads to.

    A repository beside its work tree, as `git clone --separate-git-dir` makes it, belongs to nobody. It must be in the
    folder that was searched.
    """
    home = Path(os.path.realpath(directory))
    if home == top / ".git":
        return True
    listed = ask("worktree", "list", "--porcelain", "-z").split("\0")
    if top in [Path(os.path.realpath(entry[9:])) for entry in listed if entry.startswith("worktree ")]:
        return True
    if of_submodule := ask("config", "--local", "--get", "core.worktree", accepted=1).removesuffix("\n"):
        return top == Path(os.path.realpath(home / of_submodule))
    return home.name != ".git" and home.is_relative_to(os.path.realpath(searched))


def _refuse_borrowed_objects(objects: Path) -> None:
    """Raise FleetError if objects come from elsewhere: a pushed branch would publish what is another's."""
    if (objects / "info/alternates").exists():
        raise FleetError("its repository borrows objects of another: run git repack -ad, and remove info/alternates")
    for path in [objects, *objects.glob("*"), *objects.glob("*/*")]:
        if path.is_symlink():
            raise FleetError(f"its .git/{path.relative_to(objects.parent)} is a symbolic link")


def read_regular(file: Path, most: int) -> bytes:
    """Return the content of a regular file, or nothing if it is missing, larger, a link, a device or a pipe."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:
        return b""
    with os.fdopen(descriptor, "rb") as content:
        found = os.fstat(descriptor)
        return content.read() if stat.S_ISREG(found.st_mode) and found.st_size <= most else b""


def branch_name(version: str, prefix: str) -> str:
    """Return the name of the branch for a service. Each path in a repository has a name of its own."""
    return "/".join([f"template-{version}", *map(_reference_part, filter(None, prefix.split("/")))])


def _reference_part(name: str) -> str:
    """Return a folder's name as https://git-scm.com/docs/git-check-ref-format accepts it, escaped as in addresses."""
    allowed = re.compile(rb"[A-Za-z0-9_-]")
    octets = (bytes([octet]) for octet in os.fsencode(name))
    return "".join(octet.decode() if allowed.match(octet) else f"%{octet[0]:02X}" for octet in octets)
