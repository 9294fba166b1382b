"""Blobs read from a repository's own files, without a git process between.

A pipe from git carries weights at half the speed of the disk's cache, and one process answers one
reader. What is whole in a pack, as `kvcs commit` leaves weights, or loose, as `git add` does, is
read here, by as many threads as like. For all else, and for all that is strange, the answer is
None, and git is asked: it knows deltas, alternates and promises, and has the words for damage.

The formats are those of `gitformat-pack(5)` and of "Git Internals" in the book "Pro Git".
"""

from __future__ import annotations

import os
import struct
import threading
import zlib
from bisect import bisect_left
from contextlib import ExitStack, suppress
from io import BytesIO, FileIO
from mmap import ACCESS_READ, mmap
from pathlib import Path

from kvcs.repo.packs.pack_index import FAR, MAGIC

_LOOSE_BLOB = b"blob "
_BLOB = 3  # the type of an object in a pack; 6 and 7 are deltas
_CHUNK = 1 << 17  # bytes read at a time: from here on, each costs the system new pages
_MOST_DEFLATED = 1032  # bytes that one byte of deflate can stand for
_MOST = 10  # object directories that are looked through


def stored_blobs(common: Path) -> StoredBlobs | None:
    """Return the blobs of a repository; None where another object could stand for one of them.

    Args:
        common: the repository that all its worktrees share.
    """
    if "GIT_OBJECT_DIRECTORY" in os.environ or (common / "reftable").exists():
        return None
    packed = common / "packed-refs"
    replaced = packed.is_file() and b" refs/replace/" in packed.read_bytes()
    if replaced or any(common.glob("refs/replace/*")):
        return None
    return StoredBlobs(common / "objects")


class StoredBlobs:
    """The blobs of an object directory, and of those that it names as its alternates."""

    def __init__(self, objects: Path) -> None:
        self._directories = _with_alternates(objects)
        self._packs: list[_Pack] | None = None
        self._open = ExitStack()
        self._turn = threading.Lock()

    def read(self, object_id: str) -> bytes | None:
        """Return a blob; None where git has to be asked."""
        try:
            pack, offset = self._place(object_id)
            return self._loose(object_id) if pack is None else pack.blob(offset)
        except (OSError, ValueError, IndexError, struct.error, zlib.error):
            return None

    def has(self, object_id: str) -> bool:
        """Tell whether there is a blob of that name; false where only git could tell."""
        try:
            if self._place(object_id)[0] is not None:
                return True
            stream = self._opened_loose(object_id)
            if stream is None:
                return False
            with stream:
                return _header(stream) is not None
        except (OSError, ValueError, IndexError, struct.error, zlib.error):
            return False

    def close(self) -> None:
        """Close all files."""
        self._packs = []
        self._directories = []
        self._open.close()

    def _place(self, object_id: str) -> tuple[_Pack | None, int]:
        """Return the pack that an object is in, and where; None where no pack has it."""
        name = bytes.fromhex(object_id)
        packs = self._listed()
        for pack in packs:
            offset = pack.find(name)
            if offset is not None:
                if pack is not packs[0]:  # the next one is likely to be here, too
                    self._packs = [pack, *(each for each in packs if each is not pack)]
                return pack, offset
        return None, 0

    def _listed(self) -> list[_Pack]:
        with self._turn:
            if self._packs is None:
                indexes = [
                    index
                    for directory in self._directories
                    for index in sorted(directory.glob("pack/pack-*.idx"))
                ]
                self._packs = [_Pack(index, self._open) for index in indexes]
            return self._packs

    def _loose(self, object_id: str) -> bytes | None:
        stream = self._opened_loose(object_id)
        if stream is None:
            return None
        with stream:
            header = _header(stream)
            if header is None:
                return None
            size = int(header.removeprefix(_LOOSE_BLOB))
            return _inflated(stream.fileno(), 0, size, skipped=len(header) + 1)

    def _opened_loose(self, object_id: str) -> FileIO | None:
        for directory in self._directories:
            with suppress(FileNotFoundError):
                return FileIO(directory / object_id[:2] / object_id[2:])
        return None


def _header(stream: FileIO) -> bytes | None:
    """Return what stands before the contents of a loose blob, up to the zero byte."""
    start = zlib.decompressobj().decompress(os.pread(stream.fileno(), 256, 0), 64)
    header, end, _ = start.partition(b"\0")
    return header if end and header.startswith(_LOOSE_BLOB) else None


class _Pack:
    """A pack and its index, opened when something is looked for."""

    def __init__(self, index: Path, opened: ExitStack) -> None:
        self._path = index
        self._opened = opened
        self._index: mmap | None = None
        self._pack = -1
        self._turn = threading.Lock()

    def find(self, name: bytes) -> int | None:
        """Return where an object begins; None where it is not here."""
        with self._turn:
            index = self._index = self._index or self._mapped()
        first = name[0]
        start = _fan(index, first - 1) if first else 0
        names = _Names(index, len(name))
        at = bisect_left(names, name, start, _fan(index, first))
        many = _fan(index, 255)
        if at == _fan(index, first) or names[at] != name:
            return None
        offsets = 8 + 1024 + many * (len(name) + 4)
        offset: int = struct.unpack_from(">I", index, offsets + 4 * at)[0]
        if offset < FAR:
            return offset
        far: int = struct.unpack_from(">Q", index, offsets + 4 * many + 8 * (offset - FAR))[0]
        return far

    def blob(self, offset: int) -> bytes | None:
        """Return the blob that begins there; None for what is no blob, or a delta."""
        with self._turn:
            if self._pack < 0:
                self._pack = os.open(self._path.with_suffix(".pack"), os.O_RDONLY)
                self._opened.callback(os.close, self._pack)
        start = os.pread(self._pack, 16, offset)
        size, shift, at = start[0] & 15, 4, 0
        while start[at] & 0x80:
            at += 1
            size |= (start[at] & 0x7F) << shift
            shift += 7
        if (start[0] >> 4) & 7 != _BLOB:
            return None
        return _inflated(self._pack, offset + at + 1, size)

    def _mapped(self) -> mmap:
        with self._path.open("rb") as file:
            index = self._opened.enter_context(mmap(file.fileno(), 0, access=ACCESS_READ))
        if index[:8] != MAGIC:
            raise ValueError("an index of another version")
        return index


class _Names:
    """The sorted names in an index, as a sequence that can be searched."""

    def __init__(self, index: mmap, size: int) -> None:
        self._index = index
        self._size = size

    def __len__(self) -> int:
        return _fan(self._index, 255)

    def __getitem__(self, at: int) -> bytes:
        start = 8 + 1024 + at * self._size
        return self._index[start : start + self._size]


def _fan(index: mmap, first: int) -> int:
    """Return how many names begin with this byte or a smaller one."""
    found: int = struct.unpack_from(">I", index, 8 + 4 * first)[0]
    return found


def _inflated(file: int, offset: int, size: int, skipped: int = 0) -> bytes | None:
    """Return `size` bytes that are deflated at a place of a file; None if they are not whole."""
    if size > _MOST_DEFLATED * (os.fstat(file).st_size - offset):
        return None  # and no room is made for them
    stream = zlib.decompressobj()
    # In its own size from the start, or a tensor would be in memory twice while it grows. It gives
    # its bytes away without a copy.
    found = BytesIO(bytes(size))
    while not stream.eof:
        chunk = os.pread(file, min(_CHUNK, size + 1024), offset)
        if not chunk:
            return None
        offset += len(chunk)
        # No more than was promised, and one byte that would show that there is.
        part = stream.decompress(chunk, size - found.tell() + skipped + 1)
        found.write(part[skipped:] if skipped else part)
        skipped = max(0, skipped - len(part))
        if found.tell() > size:
            return None
    return found.getvalue() if found.tell() == size else None


def _with_alternates(objects: Path) -> list[Path]:
    """Return an object directory, and those that it borrows from."""
    found = [objects]
    for directory in found:  # grows while it is read
        named = directory / "info/alternates"
        lines = os.fsdecode(named.read_bytes()).splitlines() if named.is_file() else []
        others = [directory / line for line in lines if line and line[0] not in '#"']
        found += [other for other in others if other not in found][: _MOST - len(found)]
    return found
