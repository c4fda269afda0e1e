"""A bake with bad answers prints one message and writes nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_cookies.plugin import Cookies

from go_service_answers import extension, rules, template
from tests.support.commands import Done, cookiecutter, cookiecutter_in_process
from tests.support.repository import TEMPLATE


def assert_refused(done: Done, folder: Path, *words: str) -> None:
    """Assert exit status 1, an empty folder, and a message without a traceback that has these words."""
    assert (done.returncode, done.stdout) == (1, "")
    for word in (rules.HEADING, *words):
        assert word in done.stderr
    assert "Traceback" not in done.stderr
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("name", ["Order API", "a/b", "../x", "/tmp/x", "C:\\x", ".", "", "vendor"])
def test_a_bad_name_leaves_nothing(tmp_path: Path, folder: Path, name: str) -> None:
    done = cookiecutter_in_process(folder, "--no-input", f"service_name={name}")
    assert_refused(done, folder, f"service_name={name!r}: ", rules.RULES["service_name"].accepted)
    assert list(tmp_path.iterdir()) == [folder]


def test_one_message_names_all_problems(tmp_path: Path) -> None:
    done = cookiecutter(tmp_path, "--no-input", "http_port=80", "owner=me", "go_version=1.26")
    assert_refused(done, tmp_path)
    assert [line.split("=")[0] for line in done.stderr.splitlines()[1:]] == ["owner", "http_port", "go_version"]


def test_pytest_cookies_sees_the_message(cookies: Cookies) -> None:
    result = cookies.bake(extra_context={"ownr": "@x", "http_port": "80"})
    assert isinstance(result.exception, SystemExit)
    assert "http_port='80': it is out of range" in str(result.exit_code)
    assert "'ownr'" in str(result.exit_code)


def test_without_standard_input_it_is_the_same(tmp_path: Path) -> None:
    command = f"{sys.executable} -m cookiecutter '{TEMPLATE}' --no-input <&-"
    done = subprocess.run(["sh", "-c", f"{command} http_port=80"], cwd=tmp_path, capture_output=True, text=True)
    assert_refused(done, tmp_path, "http_port='80'")
    subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True)
    assert (tmp_path / "my-service/go.mod").exists()


@pytest.mark.parametrize(
    ("given", "nearest"), [("http_prot=8081", "http_port"), ("name=x", "service_name"), ("Owner=@x", "owner")]
)
def test_a_misspelled_question_is_refused_with_the_nearest_one(tmp_path: Path, given: str, nearest: str) -> None:
    done = cookiecutter_in_process(tmp_path, "--no-input", given)
    assert_refused(done, tmp_path, f"{given.split('=')[0]!r}: there is no such question. Did you mean {nearest}?")


def test_a_name_that_is_near_no_question_gets_all_of_them(tmp_path: Path) -> None:
    done = cookiecutter_in_process(tmp_path, "--no-input", "\x1b[2J" + "z" * 1000 + "=1")
    assert_refused(
        done, tmp_path, r"'\x1b[2Jzzz", "zz...: there is no such question. The questions are: service_name, "
    )


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("owner=" + "x" * 1000, "owner='" + "x" * 56 + "...: it has 1000 characters."),
        ("owner=\x1b[2J", r"owner='\x1b[2J': it has U+001B ESCAPE at position 1."),
        ("description=safe\u202egnp", r"'safe\u202egnp': it has U+202E RIGHT-TO-LEFT OVERRIDE at position 5."),
        ("service_name=\u0430dmin", "it has U+0430 CYRILLIC SMALL LETTER A at position 1."),
        ("description=\udcff", "it has U+DCFF a character without a name at position 1."),
    ],
    ids=["long", "escape", "override", "look-alike", "not UTF-8"],
)
def test_a_bad_answer_is_shown_escaped_and_short(tmp_path: Path, given: str, shown: str) -> None:
    assert_refused(cookiecutter(tmp_path, "--no-input", given), tmp_path, shown)


BAD_IN_A_REPLAY = [
    {"http_port": "80"}, {"service_name": "a/b"}, {"service_name": "../x"}, {"license": "GPL"}, {"base_image": "nope"},
    {"servicename": "x"},
]  # fmt: skip


@pytest.mark.parametrize("bad", BAD_IN_A_REPLAY, ids=str)
def test_a_bad_answer_of_a_replay_is_refused(tmp_path: Path, folder: Path, bad: dict[str, str]) -> None:
    assert cookiecutter_in_process(tmp_path / "good", "--no-input").returncode == 0
    replay = Path(os.environ["COOKIECUTTER_CONFIG"]).parent / f"replay_dir/{TEMPLATE.name}.json"
    context = json.loads(replay.read_text())
    context["cookiecutter"].update(bad)
    (tmp_path / "bad.json").write_text(json.dumps(context))
    done = cookiecutter_in_process(folder, "--replay-file", str(tmp_path / "bad.json"))
    assert_refused(done, folder, *bad)
    assert {path.name for path in tmp_path.iterdir()} == {"good", "bad.json", "in"}


def test_a_replay_written_by_hand_is_checked_too(tmp_path: Path, folder: Path) -> None:
    texts = {name: rule.suggestion("") for name, rule in rules.RULES.items()}
    choices = {name: offered[0] for name, offered in template.choices().items()}
    for name, port in {"good": "8080", "bad": "80"}.items():
        replay = {"cookiecutter": {**texts, **choices, "http_port": port}}
        (tmp_path / f"{name}.json").write_text(json.dumps(replay))
    assert_refused(cookiecutter(folder, "--replay-file", str(tmp_path / "bad.json")), folder, "http_port='80'")
    assert cookiecutter(folder, "--replay-file", str(tmp_path / "good.json")).returncode == 0


def test_cookiecutter_itself_refuses_an_unknown_choice_on_the_command_line(tmp_path: Path) -> None:
    """This happens before it loads any extension. docs/limits.md says so."""
    done = cookiecutter(tmp_path, "--no-input", "base_image=ubuntu")
    assert done.returncode == 1
    assert f"the choices are {template.choices()['base_image']}" in done.stderr
    assert list(tmp_path.iterdir()) == []


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


def test_what_is_old_enough_is_accepted() -> None:
    extension.refuse_old((3, 10), "2.5.0")
    extension.refuse_old((3, 14), "3.0")
