"""Reading Markdown: the commands that readers type, blocks and tables."""

from __future__ import annotations

import re


def blocks(document: str, language: str) -> list[str]:
    """Return the contents of the fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", document, re.MULTILINE | re.DOTALL)


def shell_commands(document: str) -> list[str]:
    """Return the lines of the sh blocks."""
    return [line for block in blocks(document, "sh") for line in block.splitlines() if line]


def table_rows(document: str, header: str) -> list[list[str]]:
    """Return the cells of the table that has this header line."""
    table = re.search(rf"^{re.escape(header)}\n\|[ -|]+\|\n((?:\|.*\|\n)+)", document, re.MULTILINE)
    assert table, f"no table {header}"
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table[1].splitlines()]
