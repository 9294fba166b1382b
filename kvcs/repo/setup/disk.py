"""Small files of a repository, written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: Path, content: bytes, *, mode: int | None = None) -> None:
    """Replace a file, or make one; its permissions stay, unless others are given."""
    if mode is None:
        mode = path.stat().st_mode & 0o777 if path.exists() else None
    scratch = path.with_name(f"{path.name}.kvcs-new")
    try:
        scratch.write_bytes(content)
        if mode is not None:
            scratch.chmod(mode)
        scratch.replace(path)
    except BaseException:
        if os.path.lexists(scratch):
            scratch.unlink()
        raise
