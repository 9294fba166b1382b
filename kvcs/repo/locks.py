"""Locks of the system on open files, which end with the process that has them, also by kill -9."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def lock(opened: int, *, wait: bool = False) -> bool:
    """Lock a file until it is closed; False where somebody else has it, or there are no locks."""
    if sys.platform == "win32":
        return False
    import fcntl

    try:
        fcntl.flock(opened, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextmanager
def locked(place: Path, *, wait: bool = False) -> Iterator[bool]:
    """Lock a file or directory for a while; yield whether that was possible."""
    opened = -1
    with suppress(OSError):
        opened = os.open(place, os.O_RDONLY)
    try:
        yield opened >= 0 and lock(opened, wait=wait)
    finally:
        if opened >= 0:
            os.close(opened)
