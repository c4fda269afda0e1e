"""A real PostgreSQL server of a test's own, which may be stopped, filled and frozen, and PgBouncer in front of one."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

from tools.running_service import free_port

HOST = "127.0.0.1"
SETTINGS = {"unix_socket_directories": "", "listen_addresses": HOST, "log_min_messages": "fatal"}


def programs() -> Path | None:
    """Return the folder of PostgreSQL's programs: that of `initdb` on PATH, or Debian's newest."""
    on_path = shutil.which("initdb")
    folders = [Path(on_path).resolve().parent] if on_path else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "postgres").exists()), None)


def unprivileged() -> dict[str, object]:
    """Return how subprocess runs a program that refuses to run as root."""
    return {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}


class Postgres:
    """A server on a free port of this machine. Its user is app, with the password secret."""

    def __init__(self, **settings: str) -> None:
        """Make a new cluster. A setting is one of postgresql.conf."""
        found = programs()
        assert found, "PostgreSQL is not installed"
        self._programs = found
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        self.data = self.folder / "data"
        (self.folder / "password").write_text("secret")
        if os.geteuid() == 0:
            for path in (self.folder, self.folder / "password"):
                shutil.chown(path, "nobody")
        options = ["--username=app", "--auth=scram-sha-256", f"--pwfile={self.folder}/password", "--no-sync"]
        self.run("initdb", f"--pgdata={self.data}", "--encoding=UTF8", "--locale=C", *options)
        with (self.data / "postgresql.conf").open("a") as file:
            for name, value in {**SETTINGS, **settings}.items():
                file.write(f"{name} = '{value}'\n")
        with (self.data / "pg_hba.conf").open("a") as file:
            file.write("host all all all scram-sha-256\n")  # if it listens beyond this machine
        self._server: subprocess.Popen[bytes] | None = None

    def run(self, program: str, *options: str) -> str:
        """Run one of PostgreSQL's programs and return what it printed."""
        environment = {"PATH": os.defpath, "PGPASSWORD": "secret", "LC_ALL": "C"}
        done = subprocess.run(
            [self._programs / program, *options],
            env=environment, cwd="/", capture_output=True, text=True, **unprivileged(),  # type: ignore[call-overload]
        )  # fmt: skip
        assert done.returncode == 0, f"{program}: {done.stdout}{done.stderr}"
        return str(done.stdout)

    def url(self, database: str = "postgres", password: str = "secret") -> str:
        return f"postgres://app:{password}@{HOST}:{self.port}/{database}?sslmode=disable"

    def query(self, sql: str, database: str = "postgres") -> str:
        """Return the rows of a query as psql shows them without decoration."""
        options = ["--no-psqlrc", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"]
        return self.run("psql", *options, "--command", sql, self.url(database)).strip()

    def start(self) -> None:
        """Start it and wait until it can be used."""
        command = [self._programs / "postgres", "-D", self.data, "-p", str(self.port)]
        with (self.folder / "log").open("ab") as log:
            self._server = subprocess.Popen(command, stdout=log, stderr=log, cwd="/", **unprivileged())  # type: ignore[call-overload]
        deadline = time.monotonic() + 30
        while True:
            try:
                self.query("SELECT 1")
                return
            except AssertionError:
                assert time.monotonic() < deadline, (self.folder / "log").read_text()
                time.sleep(0.05)

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """Stop it: by SIGINT its clients are disconnected, and by SIGQUIT it is as if it crashed."""
        if self._server:
            self._server.send_signal(number)
            self._server.wait(30)
            self._server = None

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let it accept connections and respond to nothing."""
        assert self._server
        children = Path(f"/proc/{self._server.pid}/task/{self._server.pid}/children").read_text().split()
        processes = [self._server.pid, *map(int, children)]
        for process in processes:
            os.kill(process, signal.SIGSTOP)
        try:
            yield
        finally:
            for process in processes:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGCONT)

    def __enter__(self) -> Postgres:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder)


PGBOUNCER = """
[databases]
* = host=127.0.0.1 port={server} user=app password=secret
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 3
"""


class PgBouncer:
    """PgBouncer in transaction mode in front of a server, to which it keeps three connections."""

    def __init__(self, server: Postgres) -> None:
        self.port = free_port()
        self._configuration = server.folder / "pgbouncer.ini"
        self._configuration.write_text(PGBOUNCER.format(server=server.port, port=self.port))

    def url(self, database: str) -> str:
        mode = "default_query_exec_mode=exec"
        return f"postgres://app:secret@{HOST}:{self.port}/{database}?sslmode=disable&{mode}"

    def __enter__(self) -> PgBouncer:
        command = [shutil.which("pgbouncer") or "/usr/sbin/pgbouncer", self._configuration]
        self._process = subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd="/", **unprivileged())  # type: ignore[call-overload]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait()
