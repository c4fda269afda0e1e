"""make docs: answer the questions at a real terminal, and write docs/prompt.svg of what was shown."""

from __future__ import annotations

import io
import json
import os
import re
import sys
import tempfile
from pathlib import Path

import pexpect
from rich.console import Console
from rich.text import Text

from go_service_answers import template

PICTURE = template.ROOT / "docs/prompt.svg"
COLUMNS = 100
ENTER = ""
TYPED = ["Order API", ENTER, "Takes orders.", ENTER, "acme/orders", ENTER]  # with two mistakes, asked again


def session(folder: Path) -> str:
    """Return what a terminal shows, colors included, while somebody bakes into a folder."""
    config = folder / "config.json"
    config.write_text(json.dumps({"replay_dir": str(folder / "replays")}), encoding="utf-8")
    (folder / "ada").mkdir()
    command = ["-m", "cookiecutter", str(template.ROOT), "--config-file", str(config)]
    colors = {"TERM": "xterm-256color", "COLORTERM": "", "FORCE_COLOR": "1", "COLUMNS": str(COLUMNS)}
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"} | colors
    terminal = pexpect.spawn(
        sys.executable, command, cwd=str(folder / "ada"), env=environment, encoding="utf-8", dimensions=(60, COLUMNS)
    )
    log = terminal.logfile_read = io.StringIO()
    for answer in TYPED + [ENTER] * (len(template.questions()) - 4):
        terminal.expect(r"\)(\x1b\[0m)?: $")
        terminal.sendline(answer)
    terminal.expect(pexpect.EOF)
    return log.getvalue().replace("\r\n", "\n").replace(str(folder / "ada"), "/home/ada")


def svg(shown: str) -> str:
    """Return a picture of a terminal, without the web fonts that rich would load."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text("$ cookiecutter gh:org/go-service-template"))
    console.print(Text.from_ansi(shown.rstrip()))
    picture = console.export_svg(title="cookiecutter gh:org/go-service-template")
    return re.sub(r"\s*@font-face \{.*?\}\n", "\n", picture, flags=re.DOTALL)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="go-service-template-") as folder:
        PICTURE.write_text(svg(session(Path(folder).resolve())), encoding="utf-8")
    print(f"Written to {PICTURE.relative_to(template.ROOT)}")


if __name__ == "__main__":
    main()
