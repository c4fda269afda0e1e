"""A bake with bad answers leaves one message and nothing else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import TEMPLATE
from pytest_cookies.plugin import Cookies
from test_house import tracked

from answers import extension, rules


def cookiecutter(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run cookiecutter without a person, in an empty folder."""
    command = [sys.executable, "-m", "cookiecutter", str(TEMPLATE), *words]
    return subprocess.run(command, cwd=folder, env=dict(os.environ), capture_output=True, text=True)


def assert_refused(told: subprocess.CompletedProcess[str], folder: Path, *words: str) -> None:
    """Assert that the folder is empty, the exit status 1, and the message short and with these words."""
    assert (told.returncode, told.stdout) == (1, "")
    for word in (rules.REFUSAL, *words):
        assert word in told.stderr
    assert "Traceback" not in told.stderr
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("name", ["Order API", "a/b", "../x", "/tmp/x", "C:\\x", ".", "", "vendor"])
def test_nothing_is_left_of_a_bad_name(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    told = cookiecutter(folder, "--no-input", f"service_name={name}")
    assert_refused(told, folder, f"service_name={name!r}: ", rules.RULES["service_name"].accepted)
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


@pytest.mark.parametrize(
    "bad",
    [
        {"http_port": "80"},
        {"service_name": "a/b"},
        {"service_name": "../x"},
        {"license": "GPL"},
        {"base_image": "nope"},
    ],
)
def test_a_replayed_answer_is_refused_too(tmp_path: Path, bad: dict[str, str]) -> None:
    assert cookiecutter(tmp_path, "--no-input", "-o", str(tmp_path / "good")).returncode == 0
    replay = Path(os.environ["COOKIECUTTER_CONFIG"]).parent / f"replay_dir/{TEMPLATE.name}.json"
    context = json.loads(replay.read_text())
    context["cookiecutter"].update(bad)
    (tmp_path / "bad.json").write_text(json.dumps(context))
    folder = tmp_path / "in"
    folder.mkdir()
    told = cookiecutter(folder, "--replay-file", str(tmp_path / "bad.json"))
    assert_refused(told, folder, *(f"{name}={answer!r}: " for name, answer in bad.items()))
    assert {path.name for path in tmp_path.iterdir()} == {"good", "bad.json", "in"}


@pytest.mark.parametrize(
    ("given", "nearest"), [("http_prot=8081", "http_port"), ("name=x", "service_name"), ("Owner=@x", "owner")]
)
def test_a_misspelled_question_is_refused_and_the_nearest_named(tmp_path: Path, given: str, nearest: str) -> None:
    told = cookiecutter(tmp_path, "--no-input", given)
    assert_refused(told, tmp_path, f"{given.split('=')[0]}: there is no such question. Did you mean {nearest}?")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("null", "of type NoneType"),
        ("true", "of type bool"),
        ("[8081, 8082]", "of type list"),
        ("{a: b}", "of type dict"),
        ("80", "out of range"),
        ("8081.5", "not such a number"),
    ],
)
def test_the_config_of_a_user_goes_through_the_same_rules(tmp_path: Path, value: str, words: str) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(f"default_context:\n  http_port: {value}\n  of_another_template: fine\n")
    folder = tmp_path / "in"
    folder.mkdir()
    told = cookiecutter(folder, "--no-input", "--config-file", str(config))
    assert_refused(told, folder, "http_port=", words)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("owner=" + "x" * 1000, "owner='" + "x" * 56 + "...: it has 1000 characters."),
        ("owner=\x1b[2J", r"owner='\x1b[2J': it has U+001B a character without a name at position 1."),
        (
            "description=safe\u202egnp",
            r"description='safe\u202egnp': it has U+202E RIGHT-TO-LEFT OVERRIDE at position 5.",
        ),
        ("service_name=\u0430dmin", "it has U+0430 CYRILLIC SMALL LETTER A at position 1."),
        ("description=\udcff", "it has U+DCFF a character without a name at position 1."),
    ],
    ids=["long", "escape", "override", "look-alike", "not UTF-8"],
)
def test_an_answer_is_shown_so_that_it_can_do_no_harm(tmp_path: Path, given: str, shown: str) -> None:
    assert_refused(cookiecutter(tmp_path, "--no-input", given), tmp_path, shown)


def test_a_choice_that_is_not_there_is_refused_by_cookiecutter_itself(tmp_path: Path) -> None:
    """It comes before any extension of a template is loaded: the README says so."""
    told = cookiecutter(tmp_path, "--no-input", "base_image=ubuntu")
    assert told.returncode == 1
    assert "the choices are ['alpine', 'distroless', 'scratch']" in told.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template as a git repository with one commit, which is what cruft wants."""
    folder = tmp_path_factory.mktemp("repository") / "template"
    for name in tracked():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(TEMPLATE / name, folder / name)
    for words in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=A", "-c", "user.email=a@b.c", "commit", "-qm", "Template"],
    ):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return folder


def cruft(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "cruft"), *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL)


def test_cruft_goes_through_the_same_rules(repository: Path, tmp_path: Path) -> None:
    bad = json.dumps({"http_port": "80", "ownr": "@x"})
    told = cruft(tmp_path, "create", str(repository), "--no-input", "--extra-context", bad)
    assert_refused(told, tmp_path, "http_port='80': it is out of range", "ownr: there is no such question")


def test_cruft_update_goes_through_the_same_rules(repository: Path, tmp_path: Path) -> None:
    assert cruft(tmp_path, "create", str(repository), "--no-input").returncode == 0
    service = tmp_path / "my-service"
    for words in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=A", "-c", "user.email=a@b.c", "commit", "-qm", "Bake"],
    ):
        subprocess.run(["git", *words], cwd=service, check=True)
    bad = json.dumps({"http_port": "80"})
    told = cruft(service, "update", "--skip-apply-ask", "--variables-to-update", bad)
    assert told.returncode == 1
    assert "http_port='80': it is out of range" in told.stderr
    assert "Traceback" not in told.stderr
    assert subprocess.check_output(["git", "status", "--porcelain"], cwd=service, text=True) == ""


@pytest.mark.parametrize(
    ("python", "version", "words"),
    [
        ((3, 9), "2.7.1", "needs Python 3.10 or later; this is 3.9"),
        ((3, 10), "2.4.0", "needs Cookiecutter 2.5 or later; this is 2.4.0"),
    ],
)
def test_what_is_too_old_is_refused_with_what_is_needed(python: tuple[int, int], version: str, words: str) -> None:
    with pytest.raises(SystemExit, match=words):
        extension.refuse_old(python, version)


def test_what_is_old_enough_is_taken() -> None:
    extension.refuse_old((3, 10), "2.5.0")
    extension.refuse_old((3, 14), "3.0")
