"""What holds for every set of answers, tried with thousands that Hypothesis makes up.

EXAMPLES in the environment sets how many; "make properties" takes 100,000.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import pytest
import yaml
from canary import CANARIES, sung
from conftest import CHOICES, TEMPLATE, Baked, go_environment, questions
from cookiecutter.environment import StrictEnvironment
from cookiecutter.main import cookiecutter
from cookiecutter.prompt import prompt_for_config
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from jinja2 import FileSystemLoader
from markdown_it import MarkdownIt

from answers.rules import RULES

EXAMPLES = int(os.environ.get("EXAMPLES", "5000"))
BATCH = max(1, EXAMPLES // 250)  # so many are baked and compiled as a whole, which takes a second each
SERVICE = TEMPLATE / "{{cookiecutter.service_name}}"
Answers = Mapping[str, str]


def many(examples: int = EXAMPLES) -> settings:
    return settings(
        max_examples=examples, deadline=None, database=None, derandomize=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )  # fmt: skip


Example = TypeVar("Example")


def some(strategy: st.SearchStrategy[Example], number: int) -> list[Example]:
    """Return examples for what is tried with all of them in one go."""
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
PIECES = st.sampled_from([" ", *MARKUP.split(" "), *(text for text, _, _ in CANARIES)])
LETTERS = st.characters(codec="utf-8", exclude_categories=["Cc", "Cn", "Co", "Cs", "Zl", "Zp"])
ELEMENT = st.text("abcXYZ019-_.~+", min_size=1, max_size=9)

TEXTS: dict[str, st.SearchStrategy[str]] = {
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
    {question: accepted(question, texts) for question, texts in TEXTS.items()}
    | {question: st.sampled_from(choices) for question, choices in CHOICES.items()}
)

ANY_TEXT = st.text(max_size=60) | st.lists(PIECES, max_size=9).map("".join)


def test_every_question_has_a_strategy() -> None:
    assert TEXTS.keys() | CHOICES.keys() == questions().keys()


ENVIRONMENT = StrictEnvironment(
    context={"cookiecutter": {"_extensions": ["answers.extension.Answers"]}},
    keep_trailing_newline=True,
    loader=FileSystemLoader([SERVICE, TEMPLATE / "templates"]),
)


def render(name: str, answers: Answers) -> str:
    """Render a file of the service as Cookiecutter does, without the rest."""
    return str(ENVIRONMENT.get_template(name).render(cookiecutter=answers))


def first_paragraph(markdown: str) -> str:
    """Return the text that a reader sees in the first paragraph; fails where there is markup in it."""
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


def test_every_document_shows_each_text_as_it_was_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read back as YAML, as Markdown, as a Dockerfile and as CODEOWNERS."""
    monkeypatch.chdir(tmp_path)

    @many()
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
    assert sung(tmp_path) == []


@pytest.fixture
def go_reader() -> Iterator[Callable[[Answers], dict[str, object]]]:
    """Return what reads a service's Go files as the compiler does: tests/goread."""
    program = ["go", "run", str(TEMPLATE / "tests/goread/main.go")]
    files = [str(path.relative_to(SERVICE)) for path in SERVICE.rglob("*.go") if not path.stem.endswith("_test")]
    pipe = subprocess.PIPE
    environment = {**go_environment(), "GOGC": "1000"}  # which makes it much faster
    with subprocess.Popen(program, stdin=pipe, stdout=pipe, text=True, env=environment) as reader:
        requests, readings = reader.stdin, reader.stdout
        assert requests
        assert readings

        def read(answers: Answers) -> dict[str, object]:
            module = {"Path": answers["module_path"], "Files": {name: render(name, answers) for name in files}}
            print(json.dumps(module), file=requests, flush=True)
            reading: dict[str, object] = json.loads(readings.readline())
            return reading

        yield read
        requests.close()


def test_every_service_type_checks_and_go_shows_the_description_as_it_was_typed(
    go_reader: Callable[[Answers], dict[str, object]],
) -> None:
    @many()
    @given(GOOD_ANSWERS)
    def holds(answers: Answers) -> None:
        assert go_reader(answers) == {"Error": "", "Unformatted": None, "Description": answers["description"]}

    holds()


def test_a_batch_bakes_and_builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole way: through Cookiecutter and its hooks, the compiler and the linker, all in one Go workspace."""
    services, workspace = tmp_path / "services", tmp_path / "go.work"
    monkeypatch.chdir(tmp_path)
    baked: list[Baked] = []
    of_different_modules = {answers["module_path"]: answers for answers in some(GOOD_ANSWERS, BATCH)}
    for number, made_up in enumerate(of_different_modules.values()):
        answers = {**made_up, "go_version": "1.27"}  # which is what can be compiled here
        folder = services / str(number)
        service = cookiecutter(str(TEMPLATE), no_input=True, output_dir=str(folder), extra_context=answers)
        assert [str(path) for path in folder.iterdir()] == [service]
        baked.append(Baked(Path(service)))
        variables = baked[-1].run("make", "--print-data-base", "--dry-run", "help").splitlines()
        assert {f"IMAGE = {answers['service_name']}", f"PORT = {answers['http_port']}"} <= set(variables)
    workspace.write_text("go 1.27.0\n" + "".join(f"use {service.path}\n" for service in baked))
    packages = [f"{service.path}/..." for service in baked]
    for command in (["gofmt", "-l", "services"], ["go", "build", *packages], ["go", "vet", *packages]):
        assert Baked(tmp_path).run(*command) == ""
    assert {path.name for path in tmp_path.iterdir()} == {"services", "go.work"}
    assert sung(tmp_path) == []


def test_every_refused_set_leaves_nothing(tmp_path: Path) -> None:
    @many(max(1, EXAMPLES // 20))
    @given(st.sampled_from(sorted(RULES)), ANY_TEXT)
    def holds(question: str, answer: str) -> None:
        assume(RULES[question].why_not(answer))
        with pytest.raises(SystemExit) as refused:
            cookiecutter(str(TEMPLATE), no_input=True, output_dir=str(tmp_path), extra_context={question: answer})
        assert f"{question}=" in str(refused.value)
        assert list(tmp_path.iterdir()) == []

    holds()


def asked(question: str, answer: str) -> str | None:
    """Return what Cookiecutter makes of an answer on the command line, None where the gate refuses it by name."""
    raw = json.loads((TEMPLATE / "cookiecutter.json").read_text(encoding="utf-8"))
    try:
        answers = prompt_for_config({"cookiecutter": {**raw, question: answer}}, no_input=True)
    except SystemExit as refused:
        return None if f"{question}=" in str(refused) else str(refused)
    return str(answers[question])


def test_the_gate_refuses_exactly_what_a_rule_refuses() -> None:
    @many(max(1, EXAMPLES // 10))
    @given(st.sampled_from(sorted(RULES)), ANY_TEXT)
    def holds(question: str, answer: str) -> None:
        assert asked(question, answer) == (None if RULES[question].why_not(answer) else answer)

    holds()


def test_every_suggestion_is_accepted() -> None:
    @many()
    @given(st.sampled_from(sorted(RULES)), ANY_TEXT)
    def holds(question: str, answer: str) -> None:
        assert RULES[question].why_not(RULES[question].suggestion(answer)) is None

    holds()


def test_go_mod_init_agrees_on_module_paths(tmp_path: Path) -> None:
    """The go command is the judge."""
    paths = some(TEXTS["module_path"] | st.text("ab.~+/-_@ :é1", min_size=1, max_size=12), 300)
    takes: list[bool] = []
    for number, path in enumerate(paths):
        folder = tmp_path / str(number)
        folder.mkdir()
        done = subprocess.run(["go", "mod", "init", "--", path], cwd=folder, env=go_environment(), capture_output=True)
        takes.append(done.returncode == 0)
    for path, taken in zip(paths, takes, strict=True):
        if path[0] != "." and not re.search("vendor|(^|/)[-~+]", path):  # some of these are taken, but do not build
            assert (RULES["module_path"].why_not(path) is None) == taken, path
