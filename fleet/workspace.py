"""A repository of the tool's own, in which it merges. It reads the objects of other repositories."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from fleet.git import git, output_of, safe_environment
from fleet.processes import Done, FleetError

# Commits that only serve a merge. Whoever reads the service's history does not see them.
SOMEBODY = {
    f"GIT_{role}_{name}": value
    for role in ("AUTHOR", "COMMITTER")
    for name, value in {"NAME": "fleet", "EMAIL": "fleet@localhost", "DATE": "1970-01-01T00:00:00Z"}.items()
}
REGULAR = {"100644", "100755"}


class Entry(NamedTuple):
    """A file in a tree."""

    mode: str
    object: str


class Change(NamedTuple):
    """How a path differs between two trees."""

    status: str  # A, M, T or D
    entry: Entry | None  # in the second tree


@dataclass(frozen=True)
class Workspace:
    """A bare repository in a folder of the tool's own."""

    folder: Path

    @classmethod
    def create(cls, folder: Path, alternates: Sequence[Path] = (), shallow: bytes = b"") -> Workspace:
        """Create a repository that reads the objects in other object folders.

        `shallow` has the commits at which their history ends.
        """
        for name in ("objects/info", "refs/heads"):
            (folder / name).mkdir(parents=True)
        (folder / "HEAD").write_text("ref: refs/heads/main\n")
        (folder / "objects/info/alternates").write_bytes(b"".join(map(_quoted_line, alternates)))
        if shallow:
            (folder / "shallow").write_bytes(shallow)
        return cls(folder)

    @property
    def objects(self) -> Path:
        return self.folder / "objects"

    def run(self, *words: str, stdin: bytes = b"", variables: Mapping[str, str] | None = None) -> Done:
        environment = {**safe_environment(), "GIT_DIR": str(self.folder), **(variables or {})}
        return git(self.folder, *words, environment=environment, stdin=stdin)

    def git(self, *words: str, stdin: bytes = b"", variables: Mapping[str, str] | None = None) -> str:
        """Return what git prints. Raises FleetError."""
        return output_of(self.run(*words, stdin=stdin, variables=variables))

    def blob(self, content: bytes) -> str:
        return self.git("hash-object", "-w", "--stdin", stdin=content).strip()

    def read_files(self, commit: str, names: Sequence[str], most: int) -> dict[str, bytes]:
        """Return the contents of those names that are regular files of a commit. Raises FleetError if one is larger."""
        listed = self.git("ls-tree", "-z", "-l", "--full-tree", commit, "--", *names)
        blobs = {}
        for entry in filter(None, listed.split("\0")):
            facts, name = entry.split("\t", 1)
            mode, _, blob, size = facts.split()
            if mode in REGULAR:
                if not size.isdecimal():  # not here, as in a clone with --filter
                    raise FleetError(f"its repository lacks {blob}")
                if int(size) > most:
                    raise FleetError(f"{name} is larger than {most >> 10} KiB")
                blobs[name] = blob
        return dict(zip(blobs, self._read_all(list(blobs.values())), strict=True))

    def read(self, blob: str) -> bytes:
        return self._read_all([blob])[0]

    def _read_all(self, blobs: Sequence[str]) -> list[bytes]:
        """Return the contents of blobs: https://git-scm.com/docs/git-cat-file#_batch_output"""
        output = io.BytesIO(_bytes(self.git("cat-file", "--batch", stdin="".join(f"{b}\n" for b in blobs).encode())))
        found = []
        for blob in blobs:
            header = output.readline().split()
            if len(header) != 3:
                raise FleetError(f"its repository lacks {blob}")
            found.append(output.read(int(header[2])))
            output.readline()
        return found

    def tree(self, commit: str, prefix: str) -> str:
        """Return the tree of a folder at a commit."""
        return self.git("rev-parse", "--verify", "--end-of-options", f"{commit}:{prefix}").strip()

    def files(self, tree: str) -> dict[str, Entry]:
        """Return all files of a tree."""
        found = {}
        for line in filter(None, self.git("ls-tree", "-r", "-z", "--full-tree", tree).split("\0")):
            facts, name = line.split("\t", 1)
            mode, _, blob = facts.split()
            found[name] = Entry(mode, blob)
        return found

    def differences(self, before: str, after: str) -> dict[str, Change]:
        """Return the files that differ between two trees."""
        words = self.git("diff-tree", "-r", "-z", "--no-renames", before, after).split("\0")
        found = {}
        for facts, name in zip(words[::2], words[1::2], strict=False):
            _, mode, _, blob, status = facts.split()
            found[name] = Change(status, None if status == "D" else Entry(mode, blob))
        return found

    def edited(self, tree: str, entries: Mapping[str, Entry | None]) -> str:
        """Return a tree with other entries. None removes a path."""
        if not entries:
            return tree
        index = {"GIT_INDEX_FILE": str(self.folder / f"index-{tree}")}
        lines = [
            f"{entry.mode} {entry.object}\t{name}\0" if entry else f"0 {'0' * 40}\t{name}\0"
            for name, entry in sorted(entries.items(), key=lambda item: item[1] is not None)  # makes room first
        ]
        self.git("read-tree", tree, variables=index)
        self.git("update-index", "-z", "--index-info", stdin=_bytes("".join(lines)), variables=index)
        return self.git("write-tree", "--missing-ok", variables=index).strip()

    def check_out(self, tree: str, folder: Path) -> None:
        """Write the files of a tree into a folder."""
        index = {"GIT_INDEX_FILE": str(self.folder / "index-to-check-out")}
        self.git("read-tree", tree, variables=index)
        self.git("checkout-index", "-a", f"--prefix={folder}/", variables=index)

    def commit_for_merge(self, tree: str, *parents: str) -> str:
        words = [word for parent in parents for word in ("-p", parent)]
        return self.git("commit-tree", tree, *words, "-m", "For a merge", variables=SOMEBODY).strip()

    def parents(self, commit: str) -> list[str]:
        header = self.git("cat-file", "commit", commit).partition("\n\n")[0]
        return re.findall("^parent ([0-9a-f]{40})$", header, re.MULTILINE)

    def is_ancestor(self, commit: str, of: str) -> bool:
        done = self.run("merge-base", "--is-ancestor", commit, of)
        output_of(done, 1)
        return done.status == 0

    def name(self, branch: str, commit: str) -> None:
        """Give a commit a name, which git writes beside the marks of a conflict."""
        (self.folder / "refs/heads" / branch).write_text(f"{commit}\n")

    def pack(self, commit: str, before: str) -> bytes:
        """Return a pack of a commit, and of the trees and files in which it differs from the commit before it."""
        words = self.git("diff-tree", "-r", "-t", "-z", "--no-renames", before, commit).split("\0")[::2]
        changes = [facts.split() for facts in words if facts]
        objects = [blob for _, mode, _, blob, status in changes if status != "D" and mode != "160000"]
        wanted = "\n".join([commit, self.tree(commit, ""), *objects, ""])
        return _bytes(self.git("pack-objects", "-q", "--stdout", stdin=wanted.encode()))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _quoted_line(folder: Path) -> bytes:
    """Return a path for the file of alternates, quoted so that it may have any character."""
    escaped = re.sub(rb'[\\"\x00-\x1f\x7f]', lambda found: rb"\%03o" % found[0][0], os.fsencode(folder))
    return b'"' + escaped + b'"\n'
