"""Texts that create a folder named canary when a program runs them instead of showing them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import yaml
from cookiecutter.environment import StrictEnvironment

from tests.support.repository import SERVICE


def run_by_shell(script: str) -> None:
    subprocess.run(["sh", "-c", script], check=True)


def run_by_make(makefile: str) -> None:
    subprocess.run(["make", "-f", "-"], input=makefile, text=True, check=True)


def run_by_python(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=True)


def run_by_jinja(template: str) -> None:
    StrictEnvironment(context={"cookiecutter": {}}).from_string(template).render()


# A text, a file that shows it without any escaping, and a program that runs that file.
INJECTIONS: list[tuple[str, str, Callable[[str], object]]] = [
    ("$(mkdir canary)", 'echo "{}"', run_by_shell),
    ("`mkdir canary`", 'echo "{}"', run_by_shell),
    ('"; mkdir canary; : "', 'echo "{}"', run_by_shell),
    ("'; mkdir canary; : '", "echo '{}'", run_by_shell),
    ("$(shell mkdir canary)", "TEXT := {}\nall:", run_by_make),
    ("'+str(__import__('os').mkdir('canary'))+'", "text = '{}'", run_by_python),
    ('"""+str(__import__("os").mkdir("canary"))+"""', 'text = """{}"""', run_by_python),
    ("{{ cycler.__init__.__globals__.os.mkdir('canary') }}", "{}", run_by_jinja),
    ("{% if cycler.__init__.__globals__.os.mkdir('canary') %}{% endif %}", "{}", run_by_jinja),
    ("{{ cycler.__init__.__globals__.os.mkdir('canary') }}{# cookiecutter #}", "{}", run_by_jinja),
    ("!!python/object/apply:os.mkdir [canary]", "text: {}", yaml.unsafe_load),
]
TEXTS = [text for text, _, _ in INJECTIONS]


def executed(folder: Path) -> list[Path]:
    """Return the traces of texts that were run, in the folder or where Cookiecutter renders the template's files."""
    return [*folder.rglob("canary"), *SERVICE.rglob("canary")]
