"""A real HAProxy in front of services."""

from __future__ import annotations

import csv
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from tests.support import raw_http

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


Row = dict[str, str]


class HAProxy:
    """HAProxy in front of services on ports of this machine. It checks /readyz, and sends no request twice."""

    def __init__(self, command: str, folder: Path, port: int, services: Mapping[str, int], options: str = "") -> None:
        """Start it in front of services, given by their names and ports, with HAProxy's options for each."""
        self.address = ("127.0.0.1", port)
        servers = "\n".join(f"  server {name} 127.0.0.1:{port} {options}" for name, port in services.items())
        configuration = folder / "haproxy.cfg"
        configuration.write_text(CONFIGURATION.format(port=port, servers=servers))
        self._told = folder / "haproxy.txt"
        with self._told.open("w") as told:
            words = [command, "-db", "-f", str(configuration)]
            self._process = subprocess.Popen(words, stdout=told, stderr=subprocess.STDOUT)

    def told(self) -> str:
        """Return what it printed: every change of a service's state, with the reason."""
        return self._told.read_text()

    def services(self) -> dict[str, Row]:
        """Return the row of each service in HAProxy's statistics."""
        table = raw_http.ask(self.address, "GET", "/haproxy;csv").body.decode()
        table_rows = csv.DictReader(table.removeprefix("# ").splitlines())
        return {row["svname"]: row for row in table_rows if row["svname"] not in {"FRONTEND", "BACKEND"}}

    def wait_until_up(self, name: str, seconds: float = 20) -> None:
        """Wait until a check has found the service ready. Before the first check HAProxy takes it to be up."""
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
        """Return what HAProxy counted for each service: errors, and requests that it sent again or elsewhere."""
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
