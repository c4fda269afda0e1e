"""tools/fleet: keep many services up to date with the template. docs/fleet.md is its guide."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

from fleet import git, options, processes, report
from fleet.bakery import Bakery
from fleet.round import Round
from fleet.scratch import scratch
from fleet.services import chosen, services
from fleet.target import find_target
from go_service_answers import rules


def main(words: Sequence[str]) -> int:
    """Run the tool. Return its exit status."""
    asked = options.parse(words)
    if git.version() < git.OLDEST:
        sys.exit(f"git {rules.dotted(git.OLDEST)} or later is needed. This is {rules.dotted(git.version())}.")
    target = find_target(asked.to)
    found = services(asked.folder)
    if not found:
        sys.exit(f"{asked.folder} has no services: neither it nor a subfolder has a .template file.")
    found = chosen(found, asked.only, asked.exclude)
    if not found:
        sys.exit("No service matches --only and --exclude.")
    jobs = min(asked.jobs, len(found))
    with working_folder() as folder, bakery(folder) as baking, threads(jobs) as pool:
        rows = list(report.with_progress(Round(asked, target, baking, folder).rows(found, pool), len(found)))
        need_a_look = sum(not row.ok for row in rows)
        print(report.as_json(rows) if asked.json else report.table(rows, asked.link))
        if not asked.json:
            print(f"\nServices: {len(rows)}. To look at: {need_a_look}. Against: {target}.", flush=True)
    return 1 if need_a_look else 0


@contextmanager
def working_folder() -> Iterator[Path]:
    with scratch("fleet-") as folder:
        try:
            yield folder
        finally:
            ignore_signals()


@contextmanager
def bakery(scratch: Path) -> Iterator[Bakery]:
    made = Bakery(scratch)
    try:
        yield made
    finally:
        made.close()


@contextmanager
def threads(jobs: int) -> Iterator[ThreadPoolExecutor]:
    """Yield threads. When the tool is stopped, kill the programs that they run, and wait for what must be finished."""
    pool = ThreadPoolExecutor(jobs)
    try:
        yield pool
    except BaseException:
        ignore_signals()
        processes.stop()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def ignore_signals() -> None:
    """Let nothing interrupt what has to be finished and removed. Each part of it has a time limit."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def stop(number: int, _: FrameType | None) -> NoReturn:
    """End the tool in order, as Ctrl-C does."""
    raise SystemExit(128 + number)


def forget_git_variables() -> None:
    """Remove the variables that tie git to one repository. They are set when a hook starts the tool."""
    listed = subprocess.run(["git", "rev-parse", "--local-env-vars"], capture_output=True, text=True).stdout
    for name in listed.split():
        if not name.startswith("GIT_CONFIG"):
            os.environ.pop(name, None)


if __name__ == "__main__":
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # not every terminal has every character
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGHUP, stop)
    forget_git_variables()
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit("\nStopped. No service was left half done.")
    except processes.FleetError as failure:
        sys.exit(f"The tool stopped: {failure}.")
    except subprocess.CalledProcessError as failure:
        sys.exit(f"git failed in this clone of the template: {processes.last_line(failure.stderr)}")
