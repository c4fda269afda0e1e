"""Find the services in a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from go_service_answers.link import LINK
from tools.versions import ORIGIN


def services(folder: Path) -> dict[str, Path]:
    """Return the services in a folder and its subfolders, by their names: the paths in that folder.

    Hidden folders and those of a service are not searched, and symbolic links are not followed.
    """
    found = {os.path.relpath(path, folder): Path(path) for path in _services(str(folder))}
    if list(found) == ["."]:
        return {folder.name: folder}
    return found


def _services(top: str) -> Iterator[str]:
    """Yield the folders with services. There may be more folders in folders than functions can call themselves."""
    waiting = [top]
    while waiting:
        folder = waiting.pop()
        try:
            entries = list(os.scandir(folder))
        except OSError:
            continue
        if any(entry.name in {LINK, ORIGIN} and not entry.is_dir(follow_symlinks=False) for entry in entries):
            yield folder
        else:
            inner = (e.path for e in entries if e.is_dir(follow_symlinks=False) and not e.name.startswith("."))
            waiting += sorted(inner, reverse=True)


def chosen(found: dict[str, Path], only: Sequence[str], excluded: Sequence[str]) -> dict[str, Path]:
    """Return the services whose names match a pattern of `only`, if there is one, and none of `excluded`."""

    def matches(name: str, patterns: Sequence[str]) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in patterns)

    return {
        name: path for name, path in found.items() if (not only or matches(name, only)) and not matches(name, excluded)
    }
