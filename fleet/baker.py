"""A process that bakes services, one after the other: Cookiecutter renders in Python, and only processes run at once.

It reads a request from each line of its standard input and answers with a line: both are JSON.
"""

from __future__ import annotations

import io
import json
import os
import sys
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from cookiecutter.main import cookiecutter


def bake(template: str, answers: dict[str, str], folder: str, config: Path) -> dict[str, object]:
    """Bake into a folder. Return {"answers": all of them}, or {"error": why not}."""
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            cookiecutter(template, no_input=True, extra_context=answers, output_dir=folder, config_file=str(config))
    except SystemExit as refusal:
        return {"error": " ".join(str(refusal.code).split())}
    except Exception as failure:
        return {"error": f"Cookiecutter stopped: {type(failure).__name__}: {failure}"}
    replay = config.parent / f"{Path(template).name}.json"
    context = json.loads(replay.read_text(encoding="utf-8"))["cookiecutter"]
    return {"answers": {name: answer for name, answer in context.items() if not name.startswith("_")}}


def main(scratch: str) -> None:
    """Serve until standard input ends. Cookiecutter's own files go into a scratch folder."""
    os.environ["TMPDIR"] = tempfile.tempdir = tempfile.mkdtemp(dir=scratch, prefix="baker-")
    os.chdir(tempfile.tempdir)
    config = Path(tempfile.tempdir) / "config.json"  # without answers
    config.write_text(json.dumps({"cookiecutters_dir": tempfile.tempdir, "replay_dir": tempfile.tempdir}))
    for line in sys.stdin:
        print(json.dumps(bake(**json.loads(line), config=config)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
