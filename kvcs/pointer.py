"""Git LFS pointers: the small file that stands in git for a large one.

The object id in a pointer is the SHA-256 of the file it stands for, and so is the checksum of a
tensor: a pointer alone tells which tensor is meant.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# A pointer is smaller than this, by the specification.
LIMIT = 1024

_VERSION = "https://git-lfs.github.com/spec/v1"
_OLD_VERSION = "https://hawser.github.com/spec/v1"  # no longer written, still valid

# One pointer has one spelling. Those with extensions stand for a file that was transformed before
# it was stored: their object is not the file, so they are no pointers here.
_POINTER = re.compile(
    rb"version (?:%b|%b)\noid sha256:([0-9a-f]{64})\nsize (0|[1-9][0-9]{0,18})\n"
    % (re.escape(_VERSION.encode()), re.escape(_OLD_VERSION.encode()))
)


@dataclass(frozen=True, slots=True)
class Pointer:
    """Stands for a file.

    Attributes:
        oid: SHA-256 of the file.
        size: its size in bytes.
    """

    oid: str
    size: int

    def __bytes__(self) -> bytes:
        return f"version {_VERSION}\noid sha256:{self.oid}\nsize {self.size}\n".encode()


def parse(content: bytes) -> Pointer | None:
    """Read a pointer; None for every other content."""
    if len(content) >= LIMIT:
        return None
    found = _POINTER.fullmatch(content)
    return Pointer(found[1].decode(), int(found[2])) if found else None
