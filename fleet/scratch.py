"""Folders that the tool works in."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def scratch(prefix: str, within: Path | None = None) -> Iterator[Path]:
    """Create a folder, and remove it at the end. What cannot be removed stays, such as a file of another user."""
    folder = tempfile.TemporaryDirectory(prefix=prefix, dir=within, ignore_cleanup_errors=True)
    try:
        yield Path(folder.name)
    finally:
        with contextlib.suppress(OSError, RecursionError):
            folder.cleanup()
