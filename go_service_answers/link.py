"""The link of a service to the template: .cruft.json, which says from which commit and with which answers it was made.

cruft writes it when it creates a service: https://cruft.github.io/cruft/. Without cruft the template writes the same,
so that nobody has to answer the questions again later.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from go_service_answers import caller, template

LINK = ".cruft.json"


def link(answers: Mapping[str, object]) -> str:
    """Return the content of .cruft.json, or "" if cruft writes it, or if the template's commit is not known."""
    commit = "" if "_commit" in answers else commit_of(caller.template_folder() or "")
    if not commit:
        return ""
    address = (template.ROOT / template.SERVICE_FOLDER / ".template").read_text(encoding="utf-8").split()[2]
    return link_file(commit, {name: answers[name] for name in template.questions()}, {"template": address})


def link_file(commit: str, answers: Mapping[str, object], others: Mapping[str, Any]) -> str:
    """Return a .cruft.json in cruft's form. `others` has its other entries, such as the template's address."""
    context = {"cookiecutter": dict(answers)}
    content = {**others, "commit": commit, "checkout": None, "context": context, "directory": None}
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"


def commit_of(folder: str) -> str:
    """Return the commit that is checked out in a folder, or "" if the folder is not the root of a repository."""
    if not (Path(folder) / ".git").exists():
        return ""
    command = ["git", "-C", folder, "rev-parse", "--verify", "--quiet", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout.strip()
    except OSError:
        return ""  # there is no git command
