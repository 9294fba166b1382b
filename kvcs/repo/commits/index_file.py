"""git's index as a file: what it says of some paths, and the file status it remembers for them.

git looks at a file again unless its status is the one in the index. No command sets that but by
reading the file, so this is written in place. `gitformat-index(5)` describes the format; what is
not in there (a split index) is left to git, which is slower and never wrong.
"""

from __future__ import annotations

import hashlib
import os
import struct
from bisect import bisect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from stat import S_ISREG

# Seconds and nanoseconds of both times, device, inode, mode, user, group, size.
_STATUS = struct.Struct(">10I")
_LOW = 0xFFFFFFFF

_EXTENDED, _ASSUME_VALID, _STAGE, _LENGTH = 0x4000, 0x8000, 0x3000, 0x0FFF
_SKIP_WORKTREE = 0x4000  # in the second word of flags

REGULAR, EXECUTABLE = 0o100644, 0o100755


@dataclass(frozen=True, slots=True)
class Entry:
    """What the index says of a path.

    Attributes:
        mode: of the file, as git has it.
        name: of its blob.
        watched: whether git looks at the file at all.
        position: where the status stands in the file of the index.
        status: the status as it stands there.
    """

    mode: int
    name: str
    watched: bool
    position: int
    status: bytes

    def is_unchanged(self, status: os.stat_result) -> bool:
        """Tell whether a file has the status that the index remembers."""
        return self.status == _remembered(status, self.mode)

    def may_be_unchanged(self, status: os.stat_result) -> bool:
        """Tell whether but for the time of its last change of status, which a link changes."""
        return self.status[8:] == _remembered(status, self.mode)[8:]

    def is_older(self, than: int) -> bool:
        """Tell whether the remembered time of modification is before a time in nanoseconds."""
        seconds, nanoseconds = struct.unpack_from(">II", self.status, 8)
        return bool(seconds * 10**9 + nanoseconds < than)


def read_entries(data: bytes, name_size: int, below: Sequence[bytes]) -> dict[bytes, Entry] | None:
    """Return the entries of an index below some directories; None if only git can read it.

    Args:
        data: the content of the file.
        name_size: of an object's name, in bytes.
        below: paths of directories, each with a slash at its end; an empty one is the root.
    """
    if len(data) < 12 + name_size or data[:4] != b"DIRC":
        return None
    version, count = struct.unpack_from(">II", data, 4)
    if version not in (2, 3, 4):
        return None
    try:
        found, end = _entries(data, name_size, version, count, below)
        extensions = set(_extensions(data, end, len(data) - name_size))
    except (struct.error, ValueError, IndexError):
        return None
    return None if b"link" in extensions else found


def remember(data: bytes, algorithm: str, found: Mapping[int, tuple[int, os.stat_result]]) -> bytes:
    """Return the file of an index with other statuses: by position, the mode and status."""
    content = bytearray(data)
    for position, (mode, status) in found.items():
        if status.st_size & _LOW or not status.st_size:  # or versions of git differ
            content[position : position + _STATUS.size] = _remembered(status, mode)
    size = hashlib.new(algorithm).digest_size
    if any(content[-size:]):  # not so where index.skipHash is set
        content[-size:] = hashlib.new(algorithm, content[:-size]).digest()
    return bytes(content)


def file_mode(status: os.stat_result, entry: Entry | None, *, trusted: bool) -> int:
    """Return the mode that `git add` gives to a file.

    Args:
        status: of the file.
        entry: what the index says so far.
        trusted: whether the file system knows which files are executable.
    """
    if trusted:
        return EXECUTABLE if status.st_mode & 0o100 else REGULAR
    return entry.mode if entry and S_ISREG(entry.mode) else REGULAR


def _remembered(status: os.stat_result, mode: int) -> bytes:
    changed, modified = (divmod(time, 10**9) for time in (status.st_ctime_ns, status.st_mtime_ns))
    numbers = (
        *(*changed, *modified, status.st_dev, status.st_ino),
        *(mode, status.st_uid, status.st_gid, status.st_size),
    )
    return _STATUS.pack(*(number & _LOW for number in numbers))


def _entries(
    data: bytes, name_size: int, version: int, count: int, below: Sequence[bytes]
) -> tuple[dict[bytes, Entry], int]:
    """Return the wanted entries, and where the last of all ends."""
    starts = _outermost(below)
    found = {}
    end = 12
    items = (_compressed if version == 4 else _plain)(data, name_size, count)
    for position, flags, more, path, stop in items:
        end = stop
        at = bisect(starts, path)
        if not (at and path.startswith(starts[at - 1])) or flags & _STAGE:
            continue
        status = data[position : position + _STATUS.size]
        name = data[position + _STATUS.size : position + _STATUS.size + name_size].hex()
        watched = not (flags & _ASSUME_VALID or more & _SKIP_WORKTREE)
        found[path] = Entry(
            struct.unpack_from(">I", status, 24)[0], name, watched, position, status
        )
    return found, end


def _outermost(below: Sequence[bytes]) -> list[bytes]:
    found: list[bytes] = []
    for start in sorted(below):
        if not (found and start.startswith(found[-1])):
            found.append(start)
    return found


def _plain(data: bytes, name_size: int, count: int) -> Iterator[tuple[int, int, int, bytes, int]]:
    """Yield the entries of versions 2 and 3: position, flags, more flags, path, end."""
    to_flags, end = _STATUS.size + name_size, 12
    for _ in range(count):
        position = end
        start, flags, more = _flags(data, position + to_flags)
        stop = start + (flags & _LENGTH)
        if flags & _LENGTH == _LENGTH:
            stop = data.index(b"\0", stop)
        end = position + (stop - position + 8 & ~7)
        yield position, flags, more, data[start:stop], end


def _compressed(
    data: bytes, name_size: int, count: int
) -> Iterator[tuple[int, int, int, bytes, int]]:
    """Yield the entries of version 4, where a path begins with what it shares with the last."""
    to_flags, end, path = _STATUS.size + name_size, 12, b""
    for _ in range(count):
        position = end
        start, flags, more = _flags(data, position + to_flags)
        start, dropped = _varint(data, start)
        stop = data.index(b"\0", start)
        path = path[: len(path) - dropped] + data[start:stop]
        end = stop + 1
        yield position, flags, more, path, end


def _flags(data: bytes, at: int) -> tuple[int, int, int]:
    flags = data[at] << 8 | data[at + 1]
    if flags & _EXTENDED:
        return at + 4, flags, data[at + 2] << 8 | data[at + 3]
    return at + 2, flags, 0


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Read a number as in the offsets of a pack: each further byte adds one before it shifts."""
    value = data[at] & 0x7F
    while data[at] & 0x80:
        at += 1
        value = value + 1 << 7 | data[at] & 0x7F
    return at + 1, value


def _extensions(data: bytes, at: int, end: int) -> Iterator[bytes]:
    while at < end:
        yield data[at : at + 4]
        at += 8 + int.from_bytes(data[at + 4 : at + 8], "big")
