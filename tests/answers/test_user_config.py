"""The user's Cookiecutter config: its answers are taken, checked, and never lost without a word."""

from __future__ import annotations

import datetime
import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from go_service_answers import rules, template
from go_service_answers.rules import SERVICE_NAME
from tests.support.baking import BakedService
from tests.support.commands import cookiecutter, cookiecutter_in_process, cruft, installed
from tests.support.documents import blocks
from tests.support.injections import INJECTIONS, executed, run_by_jinja
from tests.support.repository import commit, init_repository, published_as, read
from tests.support.terminal import ENTER, CookiecutterTerminal

PAGE = read("docs/platform-teams.md")
(DOCUMENTED,) = blocks(PAGE, "yaml")
ANSWERS = yaml.safe_load(DOCUMENTED)["default_context"]
SCRIPT = next(block for block in blocks(PAGE, "sh") if block.startswith("#!/bin/sh"))


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The config of docs/platform-teams.md, named by COOKIECUTTER_CONFIG."""
    (tmp_path / "cloned").mkdir()
    folders = f"cookiecutters_dir: {tmp_path}/cloned\nreplay_dir: {tmp_path}/replay\n"
    file = tmp_path / "cookiecutter.yaml"
    file.write_text(folders + DOCUMENTED)
    monkeypatch.setenv("COOKIECUTTER_CONFIG", str(file))
    return file


def write(config: Path, answers: dict[str, object]) -> None:
    """Write other answers into the config, in this order."""
    content = yaml.safe_load(config.read_text())
    config.write_text(yaml.safe_dump({**content, "default_context": answers}, sort_keys=False))


def assert_as_documented(service: BakedService) -> None:
    module = ANSWERS["module_path"].replace(SERVICE_NAME, service.path.name)
    assert service.read("go.mod").endswith(f"\nmodule {module}\n")
    assert service.read("CODEOWNERS").endswith(f"* {ANSWERS['owner']}\n")
    assert f"[{ANSWERS['license']}](../LICENSE)" in service.read("docs/template.md")
    assert f"/{ANSWERS['base_image']}/" in service.read("Dockerfile")


def test_cookiecutter_takes_the_answers_of_the_variable(config: Path, folder: Path) -> None:
    done = cookiecutter(folder, "--no-input", "service_name=orders")
    assert (done.returncode, done.stderr) == (0, "")
    assert_as_documented(BakedService(folder / "orders"))


def test_cookiecutter_takes_the_answers_of_the_option(
    config: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COOKIECUTTER_CONFIG")
    done = cookiecutter(folder, "--no-input", "--config-file", str(config), "service_name=orders")
    assert done.returncode == 0, done.stderr
    assert_as_documented(BakedService(folder / "orders"))


@pytest.mark.parametrize("by", ["variable", "option"])
def test_cruft_takes_the_answers(
    config: Path, repository: Path, folder: Path, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    option = ["--config-file", str(config)] if by == "option" else []
    if option:
        monkeypatch.delenv("COOKIECUTTER_CONFIG")
    name = json.dumps({"service_name": "orders"})
    done = cruft(folder, "create", str(repository), "--no-input", *option, "--extra-context", name)
    assert done.returncode == 0, done.stderr
    assert_as_documented(BakedService(folder / "orders"))


def test_the_documented_script_takes_the_config_beside_it(config: Path, repository: Path, folder: Path) -> None:
    script = config.parent / "new-service"
    script.write_text(SCRIPT)
    script.chmod(0o755)
    variables = published_as(repository)
    path = f"{Path(installed('cookiecutter')).parent}:{variables['PATH']}"
    environment = {**variables, "PATH": path, "COOKIECUTTER_CONFIG": "none"}
    subprocess.run([script, "--no-input", "service_name=orders"], cwd=folder, env=environment, check=True)
    assert_as_documented(BakedService(folder / "orders"))


def test_a_person_sees_the_answers_as_defaults(config: Path, folder: Path) -> None:
    terminal = CookiecutterTerminal(folder)
    shown = terminal.answer("orders", *[ENTER] * (len(template.questions()) - 1))
    assert terminal.end()[0] == 0
    for default in ("(git.example/acme/orders): ", "(@acme/platform-team): ", " 1 - distroless: ", " 1 - Apache-2.0: "):
        assert default in shown
    assert_as_documented(BakedService(folder / "orders"))


BAD = [
    ("owner", "platform-team", "it has no @"),
    ("module_path", "git.example/acme/{{cookiecutter.service_name}}", "it has '{'"),
    ("service_name", f"{SERVICE_NAME}-api", "it has '{'"),
    ("description", datetime.date(2026, 1, 2), "of type date"),
    ("license", ["MIT"], "of type list"),
    ("http_port", None, "of type NoneType"),
    ("http_port", True, "of type bool"),
    ("http_port", [8081, 8082], "of type list"),
    ("http_port", 80, "out of range"),
    ("http_port", 8081.5, "not a whole number"),
    *((question, {"a": "b"}, "of type dict") for question in rules.RULES),
]


@pytest.mark.parametrize(("question", "bad", "words"), BAD, ids=str)
def test_a_bad_answer_is_refused(config: Path, folder: Path, question: str, bad: object, words: str) -> None:
    write(config, {**ANSWERS, question: bad, "of_another_template": "fine"})
    done = cookiecutter_in_process(folder, "--no-input")
    assert done.returncode == 1
    assert re.search(rf"^{question}=.*{re.escape(words)}", done.stderr, re.MULTILINE)
    assert str(config) in done.stderr
    assert "Traceback" not in done.stderr
    assert list(folder.iterdir()) == []


OF_ANOTHER_TEMPLATE = {"license": "BSD-3-Clause"}


def test_a_choice_of_another_template_yields_to_the_command_line(config: Path, folder: Path) -> None:
    write(config, {"owner": "@acme/orders", **OF_ANOTHER_TEMPLATE})
    done = cookiecutter(folder, "--no-input", "license=MIT")
    assert done.returncode == 0, done.stderr
    assert "MIT License" in (folder / "my-service/LICENSE").read_text()
    assert "@acme/orders" in (folder / "my-service/CODEOWNERS").read_text()
    assert "BSD-3-Clause'" not in done.stderr  # Cookiecutter's own warning has no quotes


def test_a_harmless_choice_of_another_template_is_a_warning_with_its_source(config: Path, folder: Path) -> None:
    write(config, {"owner": "@acme/orders", **OF_ANOTHER_TEMPLATE, "of_another_template": "fine"})
    done = cookiecutter(folder, "--no-input")
    assert done.returncode == 0
    warning = f"license='BSD-3-Clause' in {config}: must be proprietary, MIT or Apache-2.0. The default is proprietary."
    assert warning in done.stderr.splitlines()
    assert "@acme/orders" in (folder / "my-service/CODEOWNERS").read_text()


REFUSED = """These answers cannot be used:
license='BSD-3-Clause' in {config}: must be proprietary, MIT or Apache-2.0. Cookiecutter would ignore what comes after \
it: owner. Move license to the end of default_context, or remove it"""


def test_it_is_refused_when_cookiecutter_would_drop_the_answers_after_it(config: Path, folder: Path) -> None:
    write(config, {**OF_ANOTHER_TEMPLATE, "owner": "@acme/orders", "of_another_template": "fine"})
    done = cookiecutter(folder, "--no-input")
    assert done.returncode == 1
    assert REFUSED.format(config=config) in done.stderr
    assert "Traceback" not in done.stderr
    assert list(folder.iterdir()) == []


def test_nothing_is_lost_when_the_answers_after_it_are_on_the_command_line(config: Path, folder: Path) -> None:
    write(config, {**OF_ANOTHER_TEMPLATE, "owner": "@acme/orders"})
    done = cookiecutter(folder, "--no-input", "owner=@acme/pay", "license=MIT")
    assert done.returncode == 0, done.stderr
    assert "@acme/pay" in (folder / "my-service/CODEOWNERS").read_text()


def test_several_choices_of_another_template_cost_nothing(config: Path, folder: Path) -> None:
    write(config, {"owner": "@acme/orders", **OF_ANOTHER_TEMPLATE, "base_image": "ubuntu"})
    done = cookiecutter(folder, "--no-input")
    assert done.returncode == 0, done.stderr
    assert f"base_image='ubuntu' in {config}: must be" in done.stderr
    assert "@acme/orders" in (folder / "my-service/CODEOWNERS").read_text()


def test_a_person_learns_of_it_before_the_first_question(config: Path, folder: Path) -> None:
    write(config, {**OF_ANOTHER_TEMPLATE, "owner": "@acme/orders"})
    status, shown = CookiecutterTerminal(folder).end()
    assert status == 1
    assert f"license='BSD-3-Clause' in {config}: must be" in shown
    assert "(my-service)" not in shown


@pytest.mark.parametrize("setting", ["_copy_without_render", "_extensions"])
@pytest.mark.parametrize("value", [["docs/*"], "docs/*"], ids=str)
def test_a_list_of_the_template_cannot_be_set_without_a_word(
    config: Path, folder: Path, setting: str, value: object
) -> None:
    """Cookiecutter would take the default for every answer after it, and end with status 0."""
    write(config, {setting: value, "owner": "@acme/orders", "module_path": "git.example/acme/orders"})
    done = cookiecutter(folder, "--no-input")
    assert done.returncode == 1
    assert (
        f"in {config}: a config cannot set it. Cookiecutter would ignore what comes after it: owner, module_path."
        in (done.stderr)
    )
    assert list(folder.iterdir()) == []


def test_cruft_refuses_the_same_config(config: Path, repository: Path, folder: Path) -> None:
    write(config, {**OF_ANOTHER_TEMPLATE, "owner": "@acme/orders"})
    done = cruft(folder, "create", str(repository), "--no-input")
    assert done.returncode == 1
    assert f"license='BSD-3-Clause' in {config}: must be" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "text",
    [
        *(text for text, _, run in INJECTIONS if run is run_by_jinja),
        "{{ cookiecutter.service_name | upper }}",
        '" ~ cycler.__init__.__globals__.os.mkdir("canary") ~ "',
        "\\",
    ],
)
def test_only_the_service_name_is_rendered(config: Path, folder: Path, text: str) -> None:
    write(config, {"description": f"{SERVICE_NAME}{text}{SERVICE_NAME}"})
    done = cookiecutter_in_process(folder, "--no-input", "service_name=orders")
    assert done.returncode == 0, done.stderr
    description = yaml.safe_load((folder / "orders/internal/api/openapi.yaml").read_text())["info"]["summary"]
    assert description == f"orders{text}orders"
    assert executed(folder) == []


def test_a_typed_answer_is_not_rendered_when_the_config_has_the_same(config: Path, folder: Path) -> None:
    write(config, {"description": SERVICE_NAME})
    done = cookiecutter_in_process(folder, "--no-input", f"description={SERVICE_NAME}")
    assert done.returncode == 0, done.stderr
    description = yaml.safe_load((folder / "my-service/internal/api/openapi.yaml").read_text())["info"]["summary"]
    assert description == SERVICE_NAME


def test_cruft_update_takes_the_answer_to_a_new_question_and_keeps_the_others(
    config: Path, repository: Path, folder: Path
) -> None:
    assert cruft(folder, "create", str(repository), "--no-input").returncode == 0
    service = BakedService(folder / "my-service")
    init_repository(service.path)
    asked = json.loads((repository / "cookiecutter.json").read_text())
    (repository / "cookiecutter.json").write_text(json.dumps({"region": "north", **asked}))
    commit(repository, "Ask for the region")
    write(config, {**ANSWERS, "region": "south", "owner": "@acme/others"})
    done = cruft(service.path, "update", "--skip-apply-ask")
    assert done.returncode == 0, done.stderr
    assert json.loads(service.read(".cruft.json"))["context"]["cookiecutter"]["region"] == "south"
    assert_as_documented(service)
