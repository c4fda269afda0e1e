"""A bake with bad answers leaves one message and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import TEMPLATE
from pytest_cookies.plugin import Cookies

from answers.rules import RULES


def cookiecutter(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run cookiecutter without a person, in an empty folder."""
    command = [sys.executable, "-m", "cookiecutter", str(TEMPLATE), *words]
    return subprocess.run(command, cwd=folder, env=dict(os.environ), capture_output=True, text=True)


@pytest.mark.parametrize("name", ["Order API", "a/b", "../x", "/tmp/x", "C:\\x", ".", "", "vendor"])
def test_nothing_is_left_of_a_bad_name(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    told = cookiecutter(folder, "--no-input", f"service_name={name}")
    assert told.returncode == 1
    assert f"service_name={name!r}: " in told.stderr
    assert RULES["service_name"].accepted in told.stderr
    assert "Traceback" not in told.stderr
    assert list(folder.iterdir()) == []
    assert list(tmp_path.iterdir()) == [folder]


def test_one_message_has_all_that_is_wrong(tmp_path: Path) -> None:
    told = cookiecutter(tmp_path, "--no-input", "http_port=80", "owner=me", "go_version=1.26")
    assert told.returncode == 1
    assert [line.split("=")[0] for line in told.stderr.splitlines()[1:]] == ["owner", "http_port", "go_version"]
    assert told.stdout == ""


def test_pytest_cookies_sees_the_message(cookies: Cookies) -> None:
    result = cookies.bake(extra_context={"http_port": "80"})
    assert isinstance(result.exception, SystemExit)
    assert "http_port='80': it is out of range" in str(result.exit_code)


def test_a_replayed_answer_meets_the_last_gate(tmp_path: Path) -> None:
    """A replay renders no variable again, so the hook has to refuse. Cookiecutter says so in its own, longer way."""
    good = cookiecutter(tmp_path, "--no-input")
    assert good.returncode == 0, good.stderr
    (replay,) = Path(os.environ["COOKIECUTTER_CONFIG"]).parent.glob("replay_dir/*.json")
    bad = tmp_path / "bad.json"
    bad.write_text(replay.read_text().replace('"8080"', '"80"').replace('"my-service"', '"other-service"'))
    told = cookiecutter(tmp_path, "--replay-file", str(bad))
    assert told.returncode != 0
    assert "http_port='80': it is out of range" in told.stderr
    assert not (tmp_path / "other-service").exists()


ATTACKS = ["$(touch canary)", "`touch canary`", '"; touch canary; "', "'''+__import__('os').system('touch canary')+'''"]


@pytest.mark.parametrize("description", ATTACKS)
def test_no_answer_is_ever_code(tmp_path: Path, description: str) -> None:
    told = cookiecutter(tmp_path, "--no-input", f"description={description}")
    assert told.returncode == 0, told.stderr
    make = subprocess.run(["make"], cwd=tmp_path / "my-service", capture_output=True, text=True)
    assert make.returncode == 0
    assert list(tmp_path.rglob("canary")) == []
