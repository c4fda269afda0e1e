"""A real HAProxy: where it comes from, and how it runs in front of services."""

from __future__ import annotations

import csv
import fcntl
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import wire
from conftest import TEMPLATE

UNPACKED = TEMPLATE / ".venv/haproxy"

CONFIGURATION = """
defaults
  mode http
  option http-keep-alive
  # The hardest for a service that stops: any request may go out on any connection that was kept.
  http-reuse always
  retries 0
  no option redispatch
  timeout connect 5s
  timeout client 10s
  timeout server 10s
  # Without it a check may take no longer than the time between two, which a busy machine does not keep.
  timeout check 5s
listen services
  bind 127.0.0.1:{port}
  stats uri /haproxy
  balance roundrobin
  option httpchk GET /readyz
  http-check expect status 200
  default-server check inter 50ms fastinter 50ms downinter 50ms rise 1 fall 1
{servers}
"""


class UnavailableError(Exception):
    """There is no HAProxy here; the text says why."""


def command() -> list[str]:
    """Return the words that start HAProxy: the machine's own, else the one of the Debian package, kept in .venv.

    Raises UnavailableError. Nothing is installed.
    """
    search = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])  # where not every user's PATH leads
    if installed := shutil.which("haproxy", path=search):
        return [installed]
    UNPACKED.parent.mkdir(exist_ok=True)
    with UNPACKED.with_suffix(".lock").open("w") as lock:  # one test process at a time of all that run side by side
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not UNPACKED.exists():
            unpack_whole_or_not_at_all()
    return start_words(UNPACKED)


def unpack_whole_or_not_at_all() -> None:
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        raise UnavailableError("no haproxy command, and no apt-get and dpkg to take the Debian package with")
    with tempfile.TemporaryDirectory(dir=UNPACKED.parent, prefix="haproxy-") as folder:
        root = Path(folder) / "root"
        for package in download(Path(folder)):
            run("dpkg", "-x", str(package), str(root))
        run(*start_words(root), "-v")
        root.rename(UNPACKED)


def download(folder: Path) -> list[Path]:
    """Download the packages; where apt's lists are missing or too old and we may, refresh them first."""
    try:
        run("apt-get", "download", *packages(), folder=folder)
    except UnavailableError:
        if os.geteuid() != 0:
            raise
        run("apt-get", "update")
        run("apt-get", "download", *packages(), folder=folder)
    return sorted(folder.glob("*.deb"))


def packages() -> list[str]:
    """Return haproxy and the packages with libraries that it needs and this machine lacks: what apt would install."""
    plan = run("apt-get", "install", "--simulate", "--no-install-recommends", "haproxy")
    return re.findall(r"^Inst (\S+)", plan, re.MULTILINE)


def start_words(root: Path) -> list[str]:
    libraries = sorted({str(file.parent) for file in root.rglob("*.so.*")})
    return ["env", f"LD_LIBRARY_PATH={':'.join(libraries)}", str(root / "usr/sbin/haproxy")]


def run(*words: str, folder: Path | None = None) -> str:
    """Run a command on the way to HAProxy and return what it printed. Raises UnavailableError where it fails."""
    try:
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=120)
    except subprocess.TimeoutExpired as late:
        raise UnavailableError(f"no haproxy command, and no package: {late}") from late
    if done.returncode:
        problem = (done.stderr.strip() or f"exit status {done.returncode}").splitlines()[-1]
        raise UnavailableError(f"no haproxy command, and no package: {' '.join(words)}: {problem}")
    return done.stdout


Row = dict[str, str]


class HAProxy:
    """HAProxy in front of services on ports of this machine: it checks /readyz, and never tries a request twice."""

    def __init__(self, command: list[str], folder: Path, port: int, services: Mapping[str, int]) -> None:
        """Start it; services are names and ports."""
        self.address = ("127.0.0.1", port)
        servers = "\n".join(f"  server {name} 127.0.0.1:{port}" for name, port in services.items())
        configuration = folder / "haproxy.cfg"
        configuration.write_text(CONFIGURATION.format(port=port, servers=servers))
        self._told = folder / "haproxy.txt"
        with self._told.open("w") as told:
            words = [*command, "-db", "-f", str(configuration)]
            self._process = subprocess.Popen(words, stdout=told, stderr=subprocess.STDOUT)

    def told(self) -> str:
        """Return what it printed: each change of a service's state, with the reason."""
        return self._told.read_text()

    def services(self) -> dict[str, Row]:
        """Return the row of each service in HAProxy's statistics."""
        table = wire.ask(self.address, "GET", "/haproxy;csv").body.decode()
        rows = csv.DictReader(table.removeprefix("# ").splitlines())
        return {row["svname"]: row for row in rows if row["svname"] not in {"FRONTEND", "BACKEND"}}

    def wait_until_up(self, name: str, seconds: float = 20) -> None:
        """Wait until a check found the service ready; before the first one HAProxy takes every service to be up."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                service = self.services()[name]
                if (service["status"], service["check_status"]) == ("UP", "L7OK"):
                    return
            except ConnectionRefusedError:  # it is still starting
                assert self._process.poll() is None, self.told()
            time.sleep(0.02)
        raise AssertionError(f"{name} is not up after {seconds} s; HAProxy: {self.told()}")

    def troubles(self) -> dict[str, dict[str, int]]:
        """Return what HAProxy counted of each service: errors, and requests that it tried again or elsewhere."""
        kinds = ("econ", "eresp", "wretr", "wredis")
        return {
            name: {kind: int(service[kind]) for kind in kinds if service[kind] != "0"}
            for name, service in self.services().items()
        }

    def __enter__(self) -> HAProxy:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
