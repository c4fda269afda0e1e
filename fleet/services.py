"""Find the services in a folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from go_service_answers.link import LINK
from tools.versions import ORIGIN


def services(folder: Path) -> dict[str, Path]:
    """Return the services in a folder and its subfolders, by their names: the paths in that folder.

    Hidden folders and those of a service are not searched, and symbolic links are not followed.
    """
    found = {}
    for path, names, files in os.walk(folder):
        if {LINK, ORIGIN}.intersection(files):
            found[os.path.relpath(path, folder)] = Path(path)
            names.clear()
        names[:] = sorted(name for name in names if not name.startswith("."))
    if list(found) == ["."]:
        return {folder.name: folder}
    return found


def chosen(found: dict[str, Path], only: Sequence[str], excluded: Sequence[str]) -> dict[str, Path]:
    """Return the services whose names match a pattern of `only`, if there is one, and none of `excluded`."""

    def matches(name: str, patterns: Sequence[str]) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in patterns)

    return {
        name: path for name, path in found.items() if (not only or matches(name, only)) and not matches(name, excluded)
    }
