"""The command line."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from fleet.publish import COMMANDS

REPORT = """Report how far each service is behind the template, and create branches with the updates. The tool reads the
last commit of the branch that is checked out. "tools/fleet link FOLDER" links services that do not say what they were
made from."""
LINK = "Find out what services were made from, and create a branch with a .cruft.json that says so."
STATUS = "The exit status is 1 if a person has to look at a service: a conflict, no link, a failure."


def parse(words: Sequence[str]) -> argparse.Namespace:
    """Return the options. Those of the other command have their defaults."""
    if words[:1] == ["link"]:
        options = _link().parse_args(words[1:])
        options.branch = not options.dry_run
    else:
        options = _report().parse_args(words)
    options.push = options.push or options.open
    options.branch = options.branch or options.push or options.refresh or options.drafts
    return options


def _parser(name: str, description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=name, description=description, epilog=STATUS)
    parser.set_defaults(to=None, run=None, refresh=False, drafts=False, dry_run=False, link=name.endswith("link"))
    parser.add_argument("folder", type=_folder, help="a folder with services, or one service")
    choice = parser.add_argument_group("which services")
    pattern = "services whose path in the folder matches a pattern, such as 'shop/*'"
    choice.add_argument("--only", metavar="PATTERN", action="append", default=[], help=f"only {pattern}")
    choice.add_argument("--exclude", metavar="PATTERN", action="append", default=[], help=f"no {pattern}")
    publish = parser.add_argument_group("publish the branches")
    publish.add_argument("--push", action="store_true", help="create the branches, and push them")
    publish.add_argument("--open", action="store_true", help="push, and open pull or merge requests with gh or glab")
    publish.add_argument(
        "--using", choices=COMMANDS, help="the command to open them (default: by the name of the host)"
    )
    publish.add_argument("--label", metavar="NAME", action="append", default=[], help="a label for the requests")
    parser.add_argument("--jobs", metavar="N", type=_jobs, default=os.cpu_count(), help="services at once")
    parser.add_argument("--json", action="store_true", help="print all results as a JSON array")
    return parser


def _report() -> argparse.ArgumentParser:
    parser = _parser("tools/fleet", REPORT)
    parser.add_argument(
        "--to", metavar="VERSION", help="the release or commit to update to (default: the newest release)"
    )
    branches = parser.add_argument_group("create branches")
    branches.add_argument(
        "--branch", action="store_true", help="create the branch template-VERSION in services without a conflict"
    )
    branches.add_argument("--refresh", action="store_true", help="also make stale branches anew")
    branches.add_argument(
        "--drafts", action="store_true", help="also create template-VERSION-draft, with the marks of a conflict"
    )
    branches.add_argument(
        "--run", metavar="COMMAND",
        help="run a shell command on each result, such as 'make test', and create no branch when it fails. It runs "
        "the service's code: let it start a sandbox",
    )  # fmt: skip
    return parser


def _link() -> argparse.ArgumentParser:
    parser = _parser("tools/fleet link", LINK)
    parser.add_argument("--dry-run", action="store_true", help="only show what was found")
    return parser


def _folder(text: str) -> Path:
    if not os.path.isdir(text):
        raise argparse.ArgumentTypeError(f"{text} is no folder")
    return Path(text).resolve()


def _jobs(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 64:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 64")
    return int(text)
