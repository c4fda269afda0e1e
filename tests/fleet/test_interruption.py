"""Ctrl-C and SIGTERM end the tool soon, and leave nothing behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.fleets import Fleet
from tests.support.repository import git

pytestmark = pytest.mark.long


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("moment", ["early", "late"])
def test_it_stops(fleet: Fleet, made: Path, tmp_path: Path, number: signal.Signals, moment: str) -> None:
    (tmp_path / "scratch").mkdir()
    for copy in range(6):
        shutil.copytree(made / "9.0.0", tmp_path / f"services/{copy}")
    sleeper = f"touch {tmp_path}/reached; sleep 60 & wait"
    process = subprocess.Popen(
        [sys.executable, "-m", "fleet", str(tmp_path / "services"), "--branch", "--run", sleeper],
        cwd=fleet.template,
        env={**os.environ, "TMPDIR": str(tmp_path / "scratch")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    reached = tmp_path / ("scratch" if moment == "early" else "reached")
    while not reached.exists() or not any([reached.is_file(), *os.listdir(tmp_path / "scratch")]):
        time.sleep(0.05)
        assert process.poll() is None
    os.killpg(process.pid, number)  # as a terminal does
    _, errors = process.communicate(timeout=10)
    assert process.returncode == (1 if number == signal.SIGINT else 128 + number)
    assert "Traceback" not in errors
    assert os.listdir(tmp_path / "scratch") == []
    assert not subprocess.run(["pgrep", "-f", f"{tmp_path}/reached"], capture_output=True).stdout
    assert "template-" not in "".join(git(service, "branch") for service in (tmp_path / "services").iterdir())
