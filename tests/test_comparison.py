"""The comparison claims for this template only what a test shows."""

from __future__ import annotations

import ast
import re

import pytest
from conftest import TEMPLATE, questions
from test_documents import rows

PAGE = (TEMPLATE / "docs/comparison.md").read_text(encoding="utf-8")
HEADERS = [line for line in PAGE.splitlines() if line.startswith("| feature ")]
FEATURES = rows(PAGE, HEADERS[0])


def names_of_tests(file: str) -> set[str]:
    """Return the names of the tests in a file, which is only read: each stands at its top level."""
    tree = ast.parse((TEMPLATE / file).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


@pytest.mark.parametrize("row", FEATURES, ids=[row[0] for row in FEATURES])
def test_a_claim_about_this_template_names_tests_that_exist_and_a_lack_none(row: list[str]) -> None:
    here, shown_by = row[1].split("[")[0], row[-1]
    named = shown_by.split(", ") if shown_by else []
    assert bool(named) == (here != "no")
    for name in named:
        test = re.fullmatch(r"`(tests/test_\w+\.py)::(test_\w+)`", name)
        assert test, f"{name} is no test"
        assert test[2] in names_of_tests(test[1])


def test_what_is_lacking_names_no_test() -> None:
    lacking = rows(PAGE, "| lacking here | who has it |")
    assert not [cell for row in lacking for cell in row if "::" in cell]


def test_every_cell_is_one_of_five_words_for_every_project() -> None:
    assert {len(row) for row in FEATURES} == {HEADERS[0].count(" | ") + 1}
    verdicts = {cell.split("[")[0] for row in FEATURES for cell in row[1:-1]}
    assert verdicts <= {"yes", "no", "partly", "–", "?"}


def test_every_footnote_is_explained_once_and_used() -> None:
    explained = re.findall(r"^\[\^(\w+)\]: ", PAGE, re.MULTILINE)
    assert len(explained) == len(set(explained))
    assert set(explained) == set(re.findall(r"\[\^(\w+)\](?!:)", PAGE))


def test_a_new_question_is_weighed_against_what_is_lacking() -> None:
    named = re.search(r"^Its questions are (.*?): ", PAGE, re.MULTILINE | re.DOTALL)
    assert named
    assert re.findall(r"`(\w+)`", named[1]) == list(questions())
