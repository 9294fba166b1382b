"""The index of a pack, version 2, as `gitformat-pack(5)` describes it."""

from __future__ import annotations

import hashlib
import struct
from collections import Counter
from collections.abc import Iterable
from itertools import accumulate
from typing import NamedTuple

MAGIC = b"\377tOc" + struct.pack(">I", 2)
FAR = 1 << 31  # an offset from here on stands in a table of its own


class IndexEntry(NamedTuple):
    """An object of a pack: its name, the CRC-32 of its bytes in the pack, and where they begin."""

    name: bytes
    crc: int
    offset: int


def write_index(entries: Iterable[IndexEntry], checksum: bytes, algorithm: str) -> bytes:
    """Return the index of a pack with that checksum at its end."""
    found = sorted(entries)
    counts = Counter(entry.name[0] for entry in found)
    far = [entry.offset for entry in found if entry.offset >= FAR]
    places = {offset: FAR | number for number, offset in enumerate(far)}
    parts = [
        MAGIC,
        _numbers("I", accumulate(counts[byte] for byte in range(256))),
        b"".join(entry.name for entry in found),
        _numbers("I", (entry.crc for entry in found)),
        _numbers("I", (places.get(entry.offset, entry.offset) for entry in found)),
        _numbers("Q", far),
        checksum,
    ]
    body = b"".join(parts)
    return body + hashlib.new(algorithm, body).digest()


def _numbers(size: str, values: Iterable[int]) -> bytes:
    found = list(values)
    return struct.pack(f">{len(found)}{size}", *found)
