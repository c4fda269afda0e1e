"""Remove the files that belong to other choices, link the service to the template, and print what to type next."""

from __future__ import annotations

import os
import shlex
import shutil
import sys


def files_not_chosen() -> list[str]:
    """Return the files and folders to remove. Cookiecutter replaces the expression below with the filter's result."""
    paths: list[str] = {{cookiecutter | files_not_chosen | tojson}}  # type: ignore[name-defined, assignment]  # noqa: F821
    return paths


def link() -> str:
    """Return the content of .cruft.json, or "". Cookiecutter replaces the expression below with the filter's result."""
    return {{cookiecutter | link | tojson}}  # type: ignore[name-defined, return-value]  # noqa: F821


def known_to_cookiecutter() -> list[str]:
    """Return the names of the answers and of Cookiecutter's own variables."""
    names: list[str] = {{cookiecutter | list | tojson}}  # type: ignore[name-defined, assignment]  # noqa: F821
    return names


def remove(path: str) -> None:
    """Remove a file or folder, which may be gone already, and the folders that are empty then."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.remove(path)
    folder = os.path.dirname(path)
    while folder and os.path.isdir(folder) and not os.listdir(folder):
        os.rmdir(folder)
        folder = os.path.dirname(folder)


def write_once(path: str, content: str) -> None:
    """Write a file, unless there is nothing to write or the file is there already."""
    if content and not os.path.lexists(path):
        octets = content.encode("utf-16", "surrogatepass").decode("utf-16").encode()  # tojson makes surrogate pairs
        with open(path, "wb") as file:
            file.write(octets)


def next_steps(folder: str) -> str:
    """Return what a person types next."""
    return f"\n{os.path.basename(folder)} is ready:\n\n  cd {shlex.quote(folder)}\n  make test\n  make run\n"


def main() -> int:
    """Tidy the current directory, which is the new service."""
    for path in files_not_chosen():
        remove(path)
    write_once(".cruft.json", link())
    is_person_there = sys.stdin is not None and sys.stdin.isatty()
    if is_person_there and "_commit" not in known_to_cookiecutter():  # cruft sets it, and bakes in temporary folders
        encoding = sys.stdout.encoding
        print(next_steps(os.getcwd()).encode(encoding, "backslashreplace").decode(encoding))
    return 0


if __name__ == "__main__":
    sys.exit(main())
