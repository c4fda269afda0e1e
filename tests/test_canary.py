"""No answer is ever run: not by a shell, by make, by Jinja, by a hook, nor by what reads the service's files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from canary import CANARIES, sung
from conftest import Baked
from ways import cookiecutter

each_canary = pytest.mark.parametrize(("text", "careless", "run"), CANARIES, ids=[text for text, _, _ in CANARIES])


@each_canary
def test_a_canary_sings_where_it_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, careless: str, run: Callable[[str], object]
) -> None:
    monkeypatch.chdir(tmp_path)
    run(careless.replace("{}", text))
    assert sung(tmp_path)


@pytest.mark.parametrize(
    "text", ["{{cookiecutter.service_name}}", "{% cookiecutter", "a {# cookiecutter #} b", "{{ x | ask_again }}"]
)
def test_what_looks_like_the_template_comes_out_as_it_was_typed(tmp_path: Path, text: str) -> None:
    told = cookiecutter(tmp_path, "--no-input", f"description={text}")
    assert told.returncode == 0, told.stderr
    assert f'"{text}"' in (tmp_path / "my-service/main.go").read_text()


@each_canary
def test_no_canary_sings_in_a_bake_or_in_the_service(
    tmp_path: Path, text: str, careless: str, run: Callable[[str], object]
) -> None:
    told = cookiecutter(tmp_path, "--no-input", f"description={text}")
    assert told.returncode == 0, told.stderr
    service = Baked(tmp_path / "my-service")
    service.make()
    service.make("build")
    assert service.run("bin/service", "-help").startswith(f"my-service: {text}\n")
    assert sung(tmp_path) == []
