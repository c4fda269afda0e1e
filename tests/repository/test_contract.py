"""The contract and the tests name each other."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.support.repository import TEMPLATE, read


def rows_of_the_contract() -> list[str]:
    """Return the first cell of each row of the tables in docs/contract.md."""
    cells = re.findall(r"^\| (.+?) \| ", read("docs/contract.md"), re.MULTILINE)
    return [cell for cell in cells if cell not in {"what", "case", "request", "figure", "---"}]


def rows_named_by_tests(file: Path) -> set[str]:
    """Return the arguments of @pytest.mark.contract(...) in a file."""
    calls = (node for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(node, ast.Call))
    return {
        node.args[0].value
        for node in calls
        if isinstance(node.func, ast.Attribute)
        and node.func.attr == "contract"
        and isinstance(node.args[0], ast.Constant)
        if isinstance(node.args[0].value, str)
    }


def test_every_row_of_the_contract_has_a_test_that_names_it() -> None:
    rows = rows_of_the_contract()
    named = set().union(*(rows_named_by_tests(file) for file in (TEMPLATE / "tests").glob("*/test_*.py")))
    assert len(rows) == len(set(rows))
    assert set(rows) == named
