"""What holds for every set of answers, tried with many that Hypothesis makes up.

EXAMPLES sets how many of each kind make test-long tries.
"""

from __future__ import annotations

import copy
import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import pytest
import yaml
from cookiecutter.environment import StrictEnvironment
from cookiecutter.main import cookiecutter
from cookiecutter.prompt import prompt_for_config
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from jinja2 import FileSystemLoader
from markdown_it import MarkdownIt

from go_service_answers import template
from go_service_answers.rules import RULES
from tests.support.baking import BakedService, bake_into
from tests.support.goreader import GoReader, Reading
from tests.support.injections import TEXTS, executed
from tests.support.machine import go_environment
from tests.support.repository import SERVICE, TEMPLATE

FEW, MANY = 100, int(os.environ.get("EXAMPLES", "5000"))
few_and_many = pytest.mark.parametrize("examples", [FEW, pytest.param(MANY, marks=pytest.mark.long)])
Answers = Mapping[str, str]


def many(examples: int) -> settings:
    return settings(
        max_examples=examples, deadline=None, database=None, derandomize=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )  # fmt: skip


Example = TypeVar("Example")


def some(strategy: st.SearchStrategy[Example], number: int) -> list[Example]:
    """Return examples, for a program that is run once for all of them."""
    collected: list[Example] = []

    @many(number)
    @given(strategy)
    def collect(example: Example) -> None:
        collected.append(example)

    collect()
    return collected


def accepted(question: str, texts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return texts.filter(lambda text: RULES[question].why_not(text) is None)


# What means something to Jinja, Go, YAML, Docker, a shell, make or Markdown.
MARKUP = (
    "{{ }} {% %} {# \\ \" ' ` $(x) ${x} $ # */ /* // <b> </b> &amp; * _ [a](b) ![a](b) - 1. > | ~~ %s "
    "%d !x @y : --- \\n \\u0041 🦫 é خ 한 a B 0"
)
PIECES = st.sampled_from([" ", *MARKUP.split(" "), *TEXTS])
LETTERS = st.characters(codec="utf-8", exclude_categories=["Cc", "Cn", "Co", "Cs", "Zl", "Zp"])
ELEMENT = st.text("abcXYZ019-_.~+", min_size=1, max_size=9)

TYPED: dict[str, st.SearchStrategy[str]] = {
    "service_name": st.from_regex(r"[a-z][a-z0-9]{0,9}(-[a-z0-9]{1,9}){0,3}", fullmatch=True),
    "description": st.lists(PIECES | LETTERS, min_size=1, max_size=24).map("".join),
    "module_path": st.builds("/".join, st.lists(ELEMENT, min_size=1, max_size=4)),
    "owner": st.from_regex(
        r"@[a-zA-Z0-9._-]{1,20}(/[a-zA-Z0-9._-]{1,20})?|[a-z.+]{1,9}@[a-z-]{1,9}\.[a-z]{2}", fullmatch=True
    ),
    "http_port": st.integers(1024, 65535).map(str),
    "go_version": st.integers(27, 199).map(lambda minor: f"1.{minor}"),
}

GOOD_ANSWERS = st.fixed_dictionaries(
    {question: accepted(question, texts) for question, texts in TYPED.items()}
    | {question: st.sampled_from(choices) for question, choices in template.choices().items()}
)

# Answers whose service needs no modules. tests/options builds the others.
WITHOUT_MODULES = GOOD_ANSWERS.map(lambda answers: {**answers, "telemetry": "none", "database": "none", "rpc": "none"})

ANY_TEXT = st.text(max_size=60) | st.lists(PIECES, max_size=9).map("".join)


def test_every_question_has_a_strategy() -> None:
    assert {*TYPED, *template.choices()} == set(template.questions())


ENVIRONMENT = StrictEnvironment(
    context={"cookiecutter": {"_extensions": ["go_service_answers.extension.Answers"]}},
    keep_trailing_newline=True,
    loader=FileSystemLoader([SERVICE, TEMPLATE / "templates"]),
)


def render(name: str, answers: Answers) -> str:
    """Render one file of the service, as Cookiecutter does."""
    return str(ENVIRONMENT.get_template(name).render(cookiecutter=answers))


def first_paragraph(markdown: str) -> str:
    """Return the text that a reader sees in the first paragraph; fails when it has markup."""
    tokens = MarkdownIt("commonmark").enable("strikethrough").parse(markdown.partition("\n## ")[0])
    paragraph = next(tokens[i + 1] for i, token in enumerate(tokens) if token.type == "paragraph_open")
    children = paragraph.children or []
    assert {child.type for child in children} <= {"text", "text_special"}, paragraph.content
    return "".join(child.content for child in children)


def dockerfile_label(dockerfile: str, label: str) -> str:
    """Return the value of a label in double quotes, with the escapes that Docker undoes there."""
    (quoted,) = (line.partition("=")[2] for line in dockerfile.splitlines() if line.lstrip().startswith(f"{label}="))
    value = quoted.removesuffix(" \\")
    assert value[0] == value[-1] == '"', quoted
    shown, characters = "", iter(value[1:-1])
    for character in characters:
        assert character not in '"$', f"unescaped {character} in {quoted}"
        following = next(characters) if character == "\\" else character
        assert character != "\\" or following in '\\"$', quoted
        shown += following
    return shown


@few_and_many
def test_every_document_shows_each_answer_as_it_was_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, examples: int
) -> None:
    """Each file is read back as YAML, as Markdown, as a Dockerfile or as CODEOWNERS."""
    monkeypatch.chdir(tmp_path)

    @many(examples)
    @given(GOOD_ANSWERS)
    def holds(answers: Answers) -> None:
        info = yaml.load(render("internal/api/openapi.yaml", answers).partition("\npaths:")[0], yaml.CSafeLoader)[
            "info"
        ]
        assert (info["title"], info["summary"]) == (answers["service_name"], answers["description"])
        linters = yaml.load(render(".golangci.yml", answers), yaml.CSafeLoader)
        assert linters["formatters"]["settings"]["goimports"]["local-prefixes"] == [answers["module_path"]]
        assert first_paragraph(render("README.md", answers)).strip() == answers["description"].strip()
        dockerfile = render("Dockerfile", answers)
        assert dockerfile_label(dockerfile, "org.opencontainers.image.description") == answers["description"]
        assert render("CODEOWNERS", answers).splitlines()[-1].split() == ["*", answers["owner"]]

    holds()
    assert executed(tmp_path) == []


GO_FILES = [str(path.relative_to(SERVICE)) for path in SERVICE.rglob("*.go") if not path.stem.endswith("_test")]


@few_and_many
def test_every_service_type_checks_and_go_shows_the_description_as_it_was_typed(examples: int) -> None:
    @many(examples)
    @given(WITHOUT_MODULES)
    def holds(answers: Answers) -> None:
        not_chosen = template.files_not_chosen(answers)
        files = {name: render(name, answers) for name in GO_FILES if name not in not_chosen}
        assert reader.read(answers["module_path"], files) == Reading("", [], answers["description"])

    with GoReader() as reader:
        holds()


@few_and_many
def test_a_batch_bakes_and_builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, examples: int) -> None:
    """The whole way, through Cookiecutter, its hooks, the compiler and the linker, in one Go workspace."""
    monkeypatch.chdir(tmp_path)
    baked: list[BakedService] = []
    of_different_modules = {answers["module_path"]: answers for answers in some(WITHOUT_MODULES, 4 + examples // 250)}
    for number, made_up in enumerate(of_different_modules.values()):
        answers = {**made_up, "go_version": template.default_of("go_version")}  # no toolchain here has a later one
        service = bake_into(tmp_path / "services" / str(number), **answers)
        variables = service.run("make", "--print-data-base", "--dry-run", "help").splitlines()
        assert {f"IMAGE = {answers['service_name']}", f"PORT = {answers['http_port']}"} <= set(variables)
        baked.append(service)
    uses = "".join(f"use {service.path}\n" for service in baked)
    (tmp_path / "go.work").write_text(f"go {template.default_of('go_version')}.0\n{uses}")
    packages = [f"{service.path}/..." for service in baked]
    for command in (
        ["gofmt", "-l", "services"],
        ["go", "build", "-trimpath", *packages],
        ["go", "vet", "-trimpath", *packages],
    ):
        assert BakedService(tmp_path).run(*command) == ""
    assert {path.name for path in tmp_path.iterdir()} == {"services", "go.work"}
    assert executed(tmp_path) == []


@few_and_many
def test_a_refused_answer_leaves_nothing(tmp_path: Path, examples: int) -> None:
    @many(20 + examples // 20)
    @given(st.sampled_from(sorted(RULES)), ANY_TEXT)
    def holds(question: str, answer: str) -> None:
        assume(RULES[question].why_not(answer))
        with pytest.raises(SystemExit) as refused:
            cookiecutter(str(TEMPLATE), no_input=True, output_dir=str(tmp_path), extra_context={question: answer})
        assert f"{question}=" in str(refused.value)
        assert list(tmp_path.iterdir()) == []

    holds()


def asked(question: str, answer: str) -> str | None:
    """Return what Cookiecutter makes of an answer on the command line, or None when the template refuses it."""
    try:
        context = {**copy.deepcopy(template.questions_file()), question: answer}
        answers = prompt_for_config({"cookiecutter": context}, no_input=True)
    except SystemExit as refused:
        return None if f"{question}=" in str(refused) else str(refused)
    return str(answers[question])


@few_and_many
def test_cookiecutter_refuses_exactly_what_a_rule_refuses(examples: int) -> None:
    @many(50 + examples // 10)
    @given(st.sampled_from(sorted(RULES)), ANY_TEXT)
    def holds(question: str, answer: str) -> None:
        assert asked(question, answer) == (None if RULES[question].why_not(answer) else answer)

    holds()


@few_and_many
def test_every_suggestion_is_accepted(examples: int) -> None:
    @many(examples)
    @given(st.sampled_from(sorted(RULES)), ANY_TEXT)
    def holds(question: str, answer: str) -> None:
        assert RULES[question].why_not(RULES[question].suggestion(answer)) is None

    holds()


@few_and_many
def test_go_mod_init_agrees_on_module_paths(tmp_path: Path, examples: int) -> None:
    paths = some(TYPED["module_path"] | st.text("ab.~+/-_@ :é1", min_size=1, max_size=12), 40 + examples // 20)
    takes: list[bool] = []
    for number, path in enumerate(paths):
        folder = tmp_path / str(number)
        folder.mkdir()
        done = subprocess.run(["go", "mod", "init", "--", path], cwd=folder, env=go_environment(), capture_output=True)
        takes.append(done.returncode == 0)
    for path, taken in zip(paths, takes, strict=True):
        if path[0] != "." and not re.search("vendor|(^|/)[-~+]", path):  # some of these are taken, but do not build
            assert (RULES["module_path"].why_not(path) is None) == taken, path
