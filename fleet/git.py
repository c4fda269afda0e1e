"""git, so that a service's repository is read as data.

Many people write to a service, and its .git folder may come from anywhere. Hooks, watchers, filters, merge drivers,
signing programs, addresses and missing objects to be fetched: whatever its configuration names, git does not run. Its
repository is asked for its place and its references alone. Everything else happens in a repository of this tool, which
reads the service's objects as alternates (https://git-scm.com/docs/gitrepository-layout) and none of its configuration.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from fleet.processes import SECONDS, Done, FleetError, run

OLDEST = (2, 38)  # has "merge-tree --write-tree"

# They win over the settings of a repository: https://git-scm.com/docs/git-config#ENVIRONMENT
SETTINGS = {
    "core.hooksPath": os.devnull,
    "core.attributesFile": os.devnull,
    "safe.directory": "*",  # nothing of the repository runs, whoever owns it
    "safe.bareRepository": "explicit",  # folders that a service has committed are no repositories
}
VARIABLES = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_ALLOW_PROTOCOL": "",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
}
IN_ENGLISH = {"LC_ALL": "C", "LANGUAGE": "C"}

# A repository may be made so that git needs memory without end. The limit is in KiB, for the data of one process.
WITH_LIMIT = ["sh", "-c", 'ulimit -d 2097152 2>/dev/null; exec "$@"', "sh"]


def plain_environment() -> dict[str, str]:
    """Return the environment without git's variables, such as GIT_DIR when the tool runs in a hook."""
    return {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | IN_ENGLISH


def settings(values: Mapping[str, str], first: int = 0) -> dict[str, str]:
    """Return the variables that pass settings to git, after a number of others."""
    variables = {"GIT_CONFIG_COUNT": str(first + len(values))}
    for number, (name, value) in enumerate(values.items(), start=first):
        variables |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    return variables


def safe_environment(more_settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return an environment in which git runs nothing that a repository or a user has configured."""
    return {**plain_environment(), **VARIABLES, **settings({**SETTINGS, **(more_settings or {})})}


def git(
    folder: Path, *words: str, environment: Mapping[str, str], stdin: bytes = b"", seconds: float = SECONDS
) -> Done:
    """Run git in a folder."""
    command = [*WITH_LIMIT, "git", *words]
    return run(command, folder, environment, name=f"git {words[0]}", stdin=stdin, seconds=seconds)


def output_of(done: Done, *accepted: int) -> str:
    """Return what a program printed. Raises FleetError when its exit status is not 0 and not accepted."""
    if done.status not in {0, *accepted}:
        raise FleetError(done.complaint.removeprefix("fatal: ").removeprefix("error: "))
    return done.output


def version() -> tuple[int, ...]:
    """Return the version of git, such as (2, 39)."""
    words = output_of(git(Path("/"), "version", environment=safe_environment())).split()
    return tuple(int(number) for number in words[2].split(".")[:2])


def caller_environment() -> dict[str, str]:
    """Return the environment in which git uses the settings of the person at work: for a commit, and to push."""
    kept = ("GIT_AUTHOR_", "GIT_COMMITTER_", "GIT_CONFIG", "GIT_SSH", "GIT_ASKPASS", "GIT_ALLOW_PROTOCOL")
    given = {name: value for name, value in os.environ.items() if name.startswith(kept)}
    return {**plain_environment(), **given, "GIT_TERMINAL_PROMPT": "0"}


def author_settings(folder: Path) -> dict[str, str]:
    """Return the caller's settings for authors and signatures, as they are for a repository in a folder.

    They come from the system's and the user's configuration, and from variables such as GIT_CONFIG_COUNT. The
    repository's own says nothing about the caller.
    """
    environment = caller_environment()
    given = environment.get("GIT_CONFIG_COUNT", "")
    environment |= settings({"safe.directory": "*"}, first=int(given) if given.isdecimal() else 0)
    listed = git(
        folder, "config", "--includes", "--show-scope", "-z", "--get-regexp",
        r"^(user|author|committer|gpg)\.|^commit\.gpgsign$", environment=environment,
    )  # fmt: skip
    words = listed.output.split("\0")
    found: dict[str, str] = {}
    for scope, entry in zip(words[::2], words[1::2], strict=False):
        if scope in {"system", "global", "command"}:
            name, _, value = entry.partition("\n")
            found[name] = value
    return found
