"""Files written into one git pack, at the speed of the disk.

git deflates whatever it stores, and weights do not deflate. Here, a large file passes once from
its place into the pack, in stored blocks (RFC 1951, 3.2.4), while one thread reads and hashes and
another writes: what was hashed is what was written, even if the file changes meanwhile. The result
is a pack like any other, which git reads, verifies, repacks and pushes; the two latter copy its
objects as they are. `gitformat-pack(5)` describes the format.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import stat
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from kvcs.repo.locks import lock, locked
from kvcs.repo.packs.pack_index import IndexEntry, write_index
from kvcs.repo.packs.streaming import Blob, Finished, Source, streamed

Hash: TypeAlias = Any  # hashlib has no public type for it

_BLOB = 3
_OWN = re.compile(r"tmp_(pack|idx)_[0-9a-f]{16}")  # git's own have other names behind it
_READ = 1 << 20


@dataclass(frozen=True, slots=True)
class PackSettings:
    """How packs are written in a repository.

    Attributes:
        directory: where its packs are.
        algorithm: `sha1` or `sha256`, for the names of objects.
        permissions: what the permissions of a finished file are, given its own.
        durable: whether files must be on the disk before they get their names.
    """

    directory: Path
    algorithm: str
    permissions: Callable[[int], int]
    durable: bool


def write_pack(
    sources: Sequence[Source], settings: PackSettings, exists: Callable[[str], bool]
) -> list[Blob]:
    """Store files as blobs in a new pack, but for contents that the repository has already.

    Args:
        sources: the files.
        settings: where and how.
        exists: tells whether the repository has an object of a name.

    Returns:
        For each file the blob that holds its content now.

    Raises:
        OSError: a file cannot be read, or the pack not written; then nothing is left behind.
        FileChangedError: a file changed while it was read; likewise.
        DamageError: a file has another checksum than it should have; likewise.
    """
    try:
        settings.directory.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(settings.directory)
        with ExitStack() as resources:
            file, place = resources.enter_context(_temporary(settings.directory, "tmp_pack_"))
            pack = _Pack(file, settings.algorithm, len(sources))
            blobs = [_store(pack, blob, exists) for blob in _objects(pack, sources, settings)]
            checksum = pack.close()
            if pack.entries:
                _install(pack.entries, checksum, file, place, settings)
    except OSError as error:
        error.filename = error.filename or settings.directory
        raise
    return blobs


class _Pack:
    """A pack under way: what is written, and the checksums of it."""

    def __init__(self, file: BinaryIO, algorithm: str, objects: int) -> None:
        self._file = file
        self._algorithm = algorithm
        self._promised = objects
        self.entries: list[IndexEntry] = []
        self.known: set[str] = set()
        self._trailer: Hash = hashlib.new(algorithm)
        self._crc = 0
        self._offset = 0
        self._write(_header(objects))
        self._begin()

    def object(self, size: int) -> None:
        """Begin an object."""
        self._begin()
        self._write(_object_header(size))

    def write(self, data: bytes | memoryview) -> None:
        """Write a part of the object."""
        self._write(data)

    def end(self, name: str) -> None:
        """Finish the object under its name."""
        self.entries.append(IndexEntry(bytes.fromhex(name), self._crc, self._start))
        self.known.add(name)

    def drop(self) -> None:
        """Take the object out again, up to where it began."""
        self._file.seek(self._start)
        self._file.truncate()
        self._offset = self._start
        self._trailer = self._trailer_before

    def close(self) -> bytes:
        """Write the trailer, and return it."""
        if len(self.entries) != self._promised:
            self._trailer = self._counted_again()
        checksum: bytes = self._trailer.digest()
        self._write(checksum)
        return checksum

    def _begin(self) -> None:
        self._start = self._offset
        self._trailer_before = self._trailer.copy()
        self._crc = 0

    def _write(self, data: bytes | memoryview) -> None:
        self._trailer.update(data)
        self._crc = zlib.crc32(data, self._crc)
        self._offset += len(data)
        left = memoryview(data)
        while left:  # a system call may take less than all, such as on a disk that gets full
            left = left[self._file.write(left) :]

    def _counted_again(self) -> Hash:
        """Correct the number of objects, with which the trailer begins, and hash all again."""
        self._file.seek(0)
        self._file.write(_header(len(self.entries)))
        self._file.seek(0)
        trailer = hashlib.new(self._algorithm)
        while part := self._file.read(_READ):
            trailer.update(part)
        return trailer


def _objects(pack: _Pack, sources: Sequence[Source], settings: PackSettings) -> Iterator[Finished]:
    """Write the files one after the other; yield each as its end is reached."""
    with streamed(sources, settings.algorithm) as parts:
        for part in parts:
            if isinstance(part, Finished):
                yield part
            elif isinstance(part, int):
                pack.object(part)
            else:
                pack.write(part)


def _store(pack: _Pack, done: Finished, exists: Callable[[str], bool]) -> Blob:
    name = done.blob.name
    if name in pack.known or exists(name):
        pack.drop()
    else:
        pack.end(name)
    return done.blob


def _install(
    entries: list[IndexEntry], checksum: bytes, pack: BinaryIO, place: Path, settings: PackSettings
) -> None:
    """Give the pack its name, and then its index: only with the latter does git see it."""
    target = settings.directory / f"pack-{checksum.hex()}"
    with _temporary(settings.directory, "tmp_idx_") as (file, index):
        file.write(write_index(entries, checksum, settings.algorithm))
        for written in (pack, file):
            _settle(written, settings)
        place.replace(target.with_suffix(".pack"))
        index.replace(target.with_suffix(".idx"))


def _settle(file: BinaryIO, settings: PackSettings) -> None:
    if hasattr(os, "fchmod"):
        own = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        os.fchmod(file.fileno(), settings.permissions(own))
    if settings.durable:
        os.fsync(file.fileno())


@contextmanager
def _temporary(directory: Path, prefix: str) -> Iterator[tuple[BinaryIO, Path]]:
    """Open a new file; it is removed unless it was renamed. `git gc` knows these prefixes."""
    place = directory / f"{prefix}{secrets.token_hex(8)}"
    try:
        with open(place, "x+b", buffering=0, opener=_read_only) as file:
            lock(file.fileno())
            yield file, place
    finally:
        with suppress(OSError):
            place.unlink(missing_ok=True)


def _remove_abandoned(directory: Path) -> None:
    """Remove what killed commits left; git itself would keep it for two weeks."""
    for place in directory.iterdir():
        if _OWN.fullmatch(place.name):
            with suppress(OSError), locked(place) as abandoned:
                if abandoned:
                    place.unlink()


def _read_only(name: str, flags: int) -> int:
    return os.open(name, flags, 0o444)  # less what the user's umask takes away


def _header(objects: int) -> bytes:
    return b"PACK" + struct.pack(">II", 2, objects)


def _object_header(size: int) -> bytes:
    """Return type and size: four bits in the first byte, seven in each that follows."""
    found = bytearray([_BLOB << 4 | size & 0x0F])
    size >>= 4
    while size:
        found[-1] |= 0x80
        found.append(size & 0x7F)
        size >>= 7
    return bytes(found)
