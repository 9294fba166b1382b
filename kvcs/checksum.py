"""SHA-256, in one place."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

PREFIX = "sha256:"


def sha256(parts: Iterable[bytes | bytearray | memoryview]) -> str:
    """Return the hexadecimal SHA-256 of the concatenation of buffers."""
    state = hashlib.sha256()
    for part in parts:
        state.update(part)
    return state.hexdigest()


def is_sha256(text: str) -> bool:
    """Tell whether `text` is a SHA-256 as this module writes it."""
    return re.fullmatch(r"[0-9a-f]{64}", text) is not None
