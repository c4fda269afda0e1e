"""A bake with bad answers leaves one message and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from canary import sung
from conftest import TEMPLATE
from pytest_cookies.plugin import Cookies
from ways import commit_all, cookiecutter, cruft, git

from answers import extension, rules


def assert_refused(told: subprocess.CompletedProcess[str], folder: Path, *words: str) -> None:
    """Assert that the folder is empty, the exit status 1, and the message short and with these words."""
    assert (told.returncode, told.stdout) == (1, "")
    for word in (rules.HEADING, *words):
        assert word in told.stderr
    assert "Traceback" not in told.stderr
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("name", ["Order API", "a/b", "../x", "/tmp/x", "C:\\x", ".", "", "vendor"])
def test_nothing_is_left_of_a_bad_name(tmp_path: Path, folder: Path, name: str) -> None:
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
        {"servicename": "x"},
    ],
)
def test_a_replayed_answer_is_refused_too(tmp_path: Path, folder: Path, bad: dict[str, str]) -> None:
    assert cookiecutter(tmp_path, "--no-input", "-o", str(tmp_path / "good")).returncode == 0
    replay = Path(os.environ["COOKIECUTTER_CONFIG"]).parent / f"replay_dir/{TEMPLATE.name}.json"
    context = json.loads(replay.read_text())
    context["cookiecutter"].update(bad)
    (tmp_path / "bad.json").write_text(json.dumps(context))
    told = cookiecutter(folder, "--replay-file", str(tmp_path / "bad.json"))
    assert_refused(told, folder, *bad)
    assert {path.name for path in tmp_path.iterdir()} == {"good", "bad.json", "in"}


def test_a_replay_written_by_hand_is_checked_too(tmp_path: Path, folder: Path) -> None:
    answers = {name: rule.suggestion("") for name, rule in rules.RULES.items()}
    choices = {"base_image": "alpine", "license": "MIT"}
    for name, answer in {"good": "8080", "bad": "80"}.items():
        replay = {"cookiecutter": {**answers, **choices, "http_port": answer}}
        (tmp_path / f"{name}.json").write_text(json.dumps(replay))
    assert_refused(cookiecutter(folder, "--replay-file", str(tmp_path / "bad.json")), folder, "http_port='80'")
    assert cookiecutter(folder, "--replay-file", str(tmp_path / "good.json")).returncode == 0


def test_without_standard_input_it_is_the_same(tmp_path: Path) -> None:
    command = f"{sys.executable} -m cookiecutter '{TEMPLATE}' --no-input <&-"
    told = subprocess.run([*"sh -c".split(), f"{command} http_port=80"], cwd=tmp_path, capture_output=True, text=True)
    assert_refused(told, tmp_path, "http_port='80'")
    subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True)
    assert (tmp_path / "my-service/go.mod").exists()


@pytest.mark.parametrize(
    ("given", "nearest"), [("http_prot=8081", "http_port"), ("name=x", "service_name"), ("Owner=@x", "owner")]
)
def test_a_misspelled_question_is_refused_and_the_nearest_named(tmp_path: Path, given: str, nearest: str) -> None:
    told = cookiecutter(tmp_path, "--no-input", given)
    assert_refused(told, tmp_path, f"{given.split('=')[0]!r}: there is no such question. Did you mean {nearest}?")


def test_a_name_that_is_like_no_question_gets_all_of_them(tmp_path: Path) -> None:
    told = cookiecutter(tmp_path, "--no-input", "\x1b[2J" + "z" * 1000 + "=1")
    assert_refused(
        told, tmp_path, r"'\x1b[2Jzzz", "zz...: there is no such question. The questions are: service_name, "
    )


def test_pytest_cookies_sees_misspelled_and_bad_answers_together(cookies: Cookies) -> None:
    result = cookies.bake(extra_context={"ownr": "@x", "service_name": "Bad_"})
    assert "'ownr'" in str(result.exit_code)
    assert "service_name='Bad_'" in str(result.exit_code)


@pytest.mark.parametrize("question", rules.RULES)
def test_an_answer_of_several_is_named(tmp_path: Path, folder: Path, question: str) -> None:
    config = {"default_context": {"module_path": "a.b/c", question: {"a": "b"}}}
    (tmp_path / "config.yaml").write_text(json.dumps(config))
    told = cookiecutter(folder, "--no-input", "--config-file", str(tmp_path / "config.yaml"))
    assert_refused(told, folder, f"{question}=", "of type dict")


def test_a_bad_choice_in_a_config_is_refused_too(tmp_path: Path, folder: Path) -> None:
    """Cookiecutter alone would take the default, and forget the owner."""
    (tmp_path / "config.yaml").write_text("default_context:\n  license: GPL\n  owner: '@acme/orders'\n")
    told = cookiecutter(folder, "--no-input", "--config-file", str(tmp_path / "config.yaml"))
    assert told.returncode == 1
    assert "license='GPL': there is no such choice. Accepted: proprietary, MIT, Apache-2.0" in told.stderr
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("null", "of type NoneType"),
        ("true", "of type bool"),
        ("[8081, 8082]", "of type list"),
        ("{a: b}", "of type dict"),
        ("80", "out of range"),
        ("8081.5", "not a whole number"),
    ],
)
def test_the_config_of_a_user_goes_through_the_same_rules(tmp_path: Path, folder: Path, value: str, words: str) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(f"default_context:\n  http_port: {value}\n  of_another_template: fine\n")
    told = cookiecutter(folder, "--no-input", "--config-file", str(config))
    assert_refused(told, folder, "http_port=", words)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("owner=" + "x" * 1000, "owner='" + "x" * 56 + "...: it has 1000 characters."),
        ("owner=\x1b[2J", r"owner='\x1b[2J': it has U+001B ESCAPE at position 1."),
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


def test_cruft_goes_through_the_same_rules(repository: Path, folder: Path) -> None:
    bad = json.dumps({"http_port": "80", "ownr": "@x"})
    told = cruft(folder, "create", str(repository), "--no-input", "--extra-context", bad)
    assert_refused(told, folder, "http_port='80': it is out of range", "'ownr': there is no such question")


@pytest.fixture
def service(repository: Path, folder: Path) -> Path:
    """A service that cruft has made, committed."""
    assert cruft(folder, "create", str(repository), "--no-input").returncode == 0
    commit_all(folder / "my-service")
    return folder / "my-service"


def cruft_update(service: Path, **answers: str) -> subprocess.CompletedProcess[str]:
    return cruft(service, "update", "--skip-apply-ask", "--variables-to-update", json.dumps(answers))


def test_cruft_update_goes_through_the_same_rules(service: Path) -> None:
    told = cruft_update(service, http_port="80")
    assert told.returncode == 1
    assert "http_port='80': it is out of range" in told.stderr
    assert "Traceback" not in told.stderr
    assert git(service, "status", "--porcelain") == ""


def test_cruft_update_goes_through_the_rules_of_the_newer_version(service: Path, repository: Path) -> None:
    """cruft loads both versions into one process, and Python alone would keep the older one."""
    module = repository / "answers/rules.py"
    module.write_text(module.read_text().replace("not 1024 <=", "not 4024 <="))
    git(repository, "commit", "-qam", "Move the ports")
    told = cruft_update(service, http_port="1024")
    assert "http_port='1024': it is out of range" in told.stderr
    assert git(service, "status", "--porcelain") == ""


def test_cruft_update_knows_the_questions_of_the_newer_version(service: Path, repository: Path) -> None:
    questions = json.loads((repository / "cookiecutter.json").read_text())
    (repository / "cookiecutter.json").write_text(json.dumps({"team": ["one", "two"], **questions}))
    git(repository, "commit", "-qam", "Ask for the team")
    assert cruft_update(service, team="two").returncode == 0
    assert json.loads((service / ".cruft.json").read_text())["context"]["cookiecutter"]["team"] == "two"


def test_cruft_update_never_runs_what_was_typed(service: Path, repository: Path) -> None:
    text = "{{ cycler.__init__.__globals__.os.mkdir('canary') }}{# cookiecutter.service_name #}"
    assert cruft_update(service, description=text).returncode == 0
    commit_all(service)
    with (repository / "{{cookiecutter.service_name}}/AGENTS.md").open("a") as document:
        document.write("\nMore.\n")
    git(repository, "commit", "-qam", "Say more")
    assert cruft(service, "update", "--skip-apply-ask").returncode == 0
    assert "More." in (service / "AGENTS.md").read_text()
    assert f'summary: "{text}"' in (service / "internal/api/openapi.yaml").read_text()
    assert json.loads((service / ".cruft.json").read_text())["context"]["cookiecutter"]["description"] == text
    assert sung(service) == []


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
