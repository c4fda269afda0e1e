"""The types of the functions that fixtures return."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.support.baking import BakedService

Bake = Callable[..., BakedService]  # bake(**answers)
Create = Callable[..., Path]  # create(commit, **answers)
Lint = Callable[[BakedService], str]  # lint(service)
Once = Callable[[str, Callable[[Path], object]], Path]  # once(name, make)
