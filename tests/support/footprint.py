"""What a running service holds: goroutines, descriptors and memory. Linux only: see proc(5)."""

from __future__ import annotations

import os
import time
from pathlib import Path

from tests.support import raw_http
from tools.running_service import RunningService, kibibytes


def holds(service: RunningService) -> tuple[int, int]:
    """Return how many goroutines and descriptors the service has."""
    profile = raw_http.ask(service.address("ADMIN_ADDR"), "GET", "/debug/pprof/goroutine?debug=1").body
    return int(profile.split(maxsplit=4)[3]), len(os.listdir(f"/proc/{service.process.pid}/fd"))


def wait_until_it_holds(service: RunningService, most: tuple[int, int]) -> None:
    deadline = time.monotonic() + 10
    while any(now > allowed for now, allowed in zip(holds(service), most, strict=True)):
        assert time.monotonic() < deadline, f"{holds(service)} goroutines and descriptors; before there were {most}"
        time.sleep(0.05)


def begin_peak(service: RunningService) -> int:
    """Forget the most memory that the service has had, and return what it has, in KiB."""
    Path(f"/proc/{service.process.pid}/clear_refs").write_text("5")
    return kibibytes(service.process.pid, "VmRSS")


def peak(service: RunningService) -> int:
    """Return the most memory that the service has had since begin_peak, in KiB."""
    return kibibytes(service.process.pid, "VmHWM")


def cpu_seconds(service: RunningService) -> float:
    """Return the time that processors have spent on the service."""
    fields = Path(f"/proc/{service.process.pid}/stat").read_text().rpartition(")")[2].split()
    user, system = fields[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
