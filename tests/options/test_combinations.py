"""Every choice alone, and every pair of choices: the right files, and no trace of what was not chosen."""

from __future__ import annotations

import re
from itertools import combinations as pairs_of

import pytest

from go_service_answers import template
from go_service_answers.link import LINK
from tests.support.choices import CHOICES, Answers, combinations, go_combinations, name_of
from tests.support.fixtures import Bake, Lint
from tests.support.repository import SERVICE_FOLDER, tracked_files

each_combination = pytest.mark.parametrize("answers", combinations(), ids=name_of)


def test_the_table_of_choices_is_complete() -> None:
    offered = [(question, choice) for question, choices in template.choices().items() for choice in choices]
    assert [(choice.question, choice.name) for choice in CHOICES] == offered


def test_every_pair_of_choices_is_tried() -> None:
    tried = {pair for answers in combinations() for pair in pairs_of(answers.items(), 2)}
    offered = [(choice.question, choice.name) for choice in CHOICES]
    assert tried == {(one, other) for one, other in pairs_of(offered, 2) if one[0] != other[0]}


@each_combination
def test_a_combination_has_its_files_and_looks_hand_written(bake: Bake, answers: Answers) -> None:
    service = bake(**answers)
    assert service.files() == {*expected_files(answers), LINK}
    assert [path for path in service.path.rglob("*") if path.is_dir() and not list(path.iterdir())] == []
    for name in service.files() - {LINK}:
        assert_looks_hand_written(name, service.read(name))
    for name in (name for name in service.files() if name.endswith(".md")):
        prose = re.sub(r"^ *```.*?^ *```", "", service.read(name), flags=re.MULTILINE | re.DOTALL)
        links = re.findall(r"\]\((?!https?:|#)([^)#]+)", prose)
        assert all((service.path / name).parent.joinpath(link).exists() for link in links), name


def expected_files(answers: Answers) -> set[str]:
    """Return the template's files, without those under a path of `_optional_files` of which no row is met."""
    missing = {path for row in template.questions_file()["_optional_files"] for path in row["files"]}
    for row in template.questions_file()["_optional_files"]:
        if not [question for question, accepted in row["when"].items() if answers[question] not in accepted]:
            missing -= set(row["files"])
    files = {name.partition("/")[2] for name in tracked_files() if name.startswith(SERVICE_FOLDER)}
    return {file for file in files if not any(f"{file}/".startswith(f"{path}/") for path in missing)}


def assert_looks_hand_written(name: str, text: str) -> None:
    assert not re.search(r"cookiecutter|\{%|%\}|jinja", text, re.IGNORECASE), f"{name} has something of the template"
    assert text.endswith("\n"), f"{name} does not end with a newline"
    assert not text.endswith("\n\n"), f"{name} ends with blank lines"
    assert not text.startswith("\n"), f"{name} begins with a blank line"
    assert "\r" not in text, f"{name} has a carriage return"
    assert not re.search(r"[ \t]$", text, re.MULTILINE), f"{name} has trailing space"
    assert "\n\n\n" not in text, f"{name} has two blank lines in a row"


@each_combination
def test_a_combination_has_the_words_of_its_choices_and_of_no_others(bake: Bake, answers: Answers) -> None:
    service = bake(**answers)
    texts = {name: service.read(name) for name in service.files()}
    for choice in CHOICES:
        for word in choice.words:
            found = [name for name, text in texts.items() if re.search(word, text, re.MULTILINE)]
            is_chosen = answers[choice.question] == choice.name
            assert bool(found) == is_chosen, f"{word!r} of {choice.question}={choice.name} is in {found or 'no file'}"


@pytest.mark.long
@pytest.mark.parametrize("answers", go_combinations(), ids=name_of)
def test_each_variant_of_the_go_code_is_clean_and_passes_its_tests(
    bake: Bake, lint: Lint, c_compiler: None, request: pytest.FixtureRequest, answers: Answers
) -> None:
    for choice in CHOICES:
        if answers[choice.question] == choice.name:
            for fixture in choice.needs:
                request.getfixturevalue(fixture)
    service = bake(**answers)
    assert service.run("gofmt", "-l", ".") == ""
    assert service.run("go", "mod", "tidy", "-diff") == ""
    service.run("go", "vet", "./...")
    service.make("build")
    service.make("race")
    assert "0 issues" in lint(service)
