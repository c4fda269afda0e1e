"""No answer is ever run: not by a shell, make, Jinja or a hook, nor by what reads the service's files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from go_service_answers import caller
from tests.support.baking import BakedService, bake_into
from tests.support.commands import cookiecutter
from tests.support.goreader import GoReader
from tests.support.injections import INJECTIONS, TEXTS, executed, run_by_jinja


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, which is empty."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("text", "unescaped", "run"), INJECTIONS, ids=TEXTS)
def test_an_injection_works_in_a_file_without_escaping(
    here: Path, text: str, unescaped: str, run: Callable[[str], object]
) -> None:
    run(unescaped.replace("{}", text))
    assert executed(here)


def test_no_text_is_run_by_a_bake_or_by_make(here: Path) -> None:
    with GoReader() as reader:
        for number, text in enumerate(TEXTS):
            service = bake_into(here / str(number), description=text)
            service.make()
            sources = {name: service.read(name) for name in service.files() if name.endswith(".go")}
            code = {name: source for name, source in sources.items() if not name.endswith("_test.go")}
            assert reader.read("github.com/acme/my-service", code).description == text
    assert executed(here) == []


@pytest.mark.parametrize("texts", [TEXTS[:5], TEXTS[5:8], TEXTS[8:10]], ids=["shell", "code", "Jinja"])
def test_no_text_is_run_by_the_command_or_by_the_service(here: Path, texts: list[str]) -> None:
    description = " ".join(texts)
    done = cookiecutter(here, "--no-input", f"description={description}")
    assert done.returncode == 0, done.stderr
    service = BakedService(here / "my-service")
    service.make("build")
    assert service.run("bin/service", "-help").startswith(f"my-service: {description}\n")
    assert executed(here) == []


LOOK_LIKE_THE_TEMPLATE = [
    "{{cookiecutter.service_name}}", "{{ cookiecutter.service_name }}", "{% cookiecutter", "a {# cookiecutter #} b",
    "{{ x | ask_again }}", "{{ cookiecutter | ask_again if 'ask_again' is filter }}",
]  # fmt: skip


@pytest.mark.parametrize("text", LOOK_LIKE_THE_TEMPLATE)
def test_an_answer_that_looks_like_the_template_comes_out_as_it_was_typed(tmp_path: Path, text: str) -> None:
    assert f'"{text}"' in bake_into(tmp_path, description=text).read("main.go")


@pytest.mark.parametrize("text", [text for text, _, run in INJECTIONS if run is run_by_jinja])
def test_no_answer_is_run_by_a_cookiecutter_with_other_names_inside(
    here: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """The extension reads local variables of Cookiecutter. When these are renamed, it must still run no answer."""
    monkeypatch.setattr(caller, "variable", lambda name, function="": None)
    service = bake_into(here, description=text)
    assert f'summary: "{text}"' in service.read("internal/api/openapi.yaml")
    assert executed(here) == []


def test_braces_in_the_output_folder_come_out_as_they_were_typed(tmp_path: Path) -> None:
    done = cookiecutter(tmp_path, "--no-input", "--output-dir", "out {{ 7*7 }}")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out {{ 7*7 }}/my-service/internal/config/config.go").exists()
