"""cruft goes through the same rules when it makes a service, and when it updates one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from go_service_answers import rules
from tests.support.commands import Done, cruft
from tests.support.fixtures import Once
from tests.support.injections import executed
from tests.support.repository import SERVICE_FOLDER, commit, git, init_repository


@pytest.fixture
def service(once: Once, repository: Path, tmp_path: Path) -> Path:
    """A service that cruft has made from the repository, committed."""

    def make(folder: Path) -> None:
        assert cruft(folder, "create", "../repository", "--no-input").returncode == 0
        init_repository(folder / "my-service")

    made = Path(shutil.copytree(once("created-by-cruft", make) / "my-service", tmp_path / "my-service"))
    state = json.loads((made / ".cruft.json").read_text())
    (made / ".cruft.json").write_text(json.dumps({**state, "template": str(repository)}))
    commit(made, "Follow this copy")
    return made


def update(service: Path, **answers: str) -> Done:
    return cruft(service, "update", "--skip-apply-ask", "--variables-to-update", json.dumps(answers))


def state_of(service: Path) -> dict[str, str]:
    answers: dict[str, str] = json.loads((service / ".cruft.json").read_text())["context"]["cookiecutter"]
    return answers


def test_cruft_create_refuses_bad_answers(repository: Path, folder: Path) -> None:
    bad = json.dumps({"http_port": "80", "ownr": "@x"})
    done = cruft(folder, "create", str(repository), "--no-input", "--extra-context", bad)
    assert (done.returncode, done.stdout) == (1, "")
    for words in (rules.HEADING, "http_port='80': it is out of range", "'ownr': there is no such question"):
        assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert list(folder.iterdir()) == []


def test_cruft_update_refuses_bad_answers(service: Path) -> None:
    done = update(service, http_port="80")
    assert done.returncode == 1
    assert "http_port='80': it is out of range" in done.stderr
    assert "Traceback" not in done.stderr
    assert git(service, "status", "--porcelain") == ""


def test_cruft_update_uses_the_rules_of_the_newer_version(service: Path, repository: Path) -> None:
    """cruft loads both versions into one process, where Python alone would keep the older one."""
    module = repository / "go_service_answers/rules.py"
    module.write_text(module.read_text().replace("not 1024 <=", "not 4024 <="))
    commit(repository, "Move the ports")
    done = update(service, http_port="1024")
    assert "http_port='1024': it is out of range" in done.stderr
    assert git(service, "status", "--porcelain") == ""


def test_cruft_update_runs_the_hooks_of_the_newer_version(service: Path, repository: Path) -> None:
    hook = repository / "hooks/post_gen_project.py"
    hook.write_text(hook.read_text().replace('"""Tidy ', '"""Tidy up '))
    with (repository / SERVICE_FOLDER / "AGENTS.md").open("a") as document:
        document.write("\nMore.\n")
    commit(repository, "Change a hook")
    done = update(service)
    assert done.returncode == 0, done.stderr
    assert "More." in (service / "AGENTS.md").read_text()


def test_cruft_update_knows_the_questions_of_the_newer_version(service: Path, repository: Path) -> None:
    questions = json.loads((repository / "cookiecutter.json").read_text())
    (repository / "cookiecutter.json").write_text(json.dumps({"team": ["one", "two"], **questions}))
    commit(repository, "Ask for the team")
    assert update(service, team="two").returncode == 0
    assert state_of(service)["team"] == "two"


def test_cruft_update_never_runs_an_answer(service: Path, repository: Path) -> None:
    text = "{{ cycler.__init__.__globals__.os.mkdir('canary') }}{# cookiecutter.service_name #}"
    assert update(service, description=text).returncode == 0
    commit(service, "Describe it")
    with (repository / SERVICE_FOLDER / "AGENTS.md").open("a") as document:
        document.write("\nMore.\n")
    commit(repository, "Say more")
    assert update(service).returncode == 0
    assert "More." in (service / "AGENTS.md").read_text()
    assert f'summary: "{text}"' in (service / "internal/api/openapi.yaml").read_text()
    assert state_of(service)["description"] == text
    assert executed(service) == []
