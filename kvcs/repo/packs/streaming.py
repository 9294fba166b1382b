"""Files on their way into a pack: read, hashed and laid out as zlib streams in a thread."""

from __future__ import annotations

import hashlib
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any, BinaryIO, TypeAlias

from kvcs.errors import DamageError, RepositoryError

Hash: TypeAlias = Any  # hashlib has no public type for it

# A stored block of deflate: three bits of header, padded to a byte, and its size twice.
_PAYLOAD = 0xFFFF
_HEAD = struct.Struct("<BHH")
_BLOCKS = 32
_ROOM = 1 << 20  # what is read at once where no blocks are laid out
_BUFFERS = 8  # of 2 MiB each, between the thread and who writes

_STORED = b"\x78\x01"  # the header of a zlib stream: deflate, window of 32 KiB, fastest

# Tensors up to here are deflated when that pays, and other files when it pays for so much of them.
_SMALL = 0xFFFF
_WORTH = 0.95  # of the size, at most


class _NobodyWaitsError(Exception):
    """The parts are not wanted any more."""


class FileChangedError(RepositoryError):
    """A file was changed by another program while it was read."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file to be stored.

    Attributes:
        path: where it is.
        tensor: whether it holds numbers, on which no time is lost for deflating them.
        sha256: what its checksum must be; None where nobody wants to know.
    """

    path: Path
    tensor: bool = False
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Blob:
    """A file's content by the name that git gives to it, and the status the file had."""

    name: str
    status: os.stat_result


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of a file."""

    blob: Blob


# What arrives for each file: its size, the parts of its zlib stream, and its end.
Part: TypeAlias = int | bytes | memoryview | Finished


def hashed(source: Source, algorithm: str) -> Blob:
    """Read a file for its name alone.

    Raises:
        OSError: it cannot be read.
        FileChangedError: it changed meanwhile.
        DamageError: it has another checksum than it should have.
    """
    view = memoryview(bytearray(_ROOM))
    with _Reading(source, algorithm) as reading:
        while reading.left:
            reading.into(view)
        return reading.blob()


@contextmanager
def streamed(sources: Sequence[Source], algorithm: str) -> Iterator[Iterator[Part]]:
    """Yield the parts of each file, which a thread produces. A part is good until the next one.

    Memory is bounded, however large the files are. No thread is left afterwards.
    """
    stream = _Stream(sources, algorithm)
    try:
        yield stream.parts()
    finally:
        stream.stop()


class _Reading:
    """A file that is read from its beginning to its end, and must stay the same on the way."""

    def __init__(self, source: Source, algorithm: str) -> None:
        self._source = source
        self._file = _open(source.path)
        self.status = os.fstat(self._file.fileno())
        self.left = self.size = self.status.st_size
        self._name: Hash = hashlib.new(algorithm, b"blob %d\0" % self.size)
        self._sha256: Hash | None = hashlib.sha256() if source.sha256 else None

    def into(self, view: memoryview) -> memoryview:
        """Fill a view as far as the file goes; return that part of it."""
        wanted = view[: self.left]
        filled = 0
        while filled < len(wanted):
            count = self._file.readinto(wanted[filled:])  # type: ignore[attr-defined]
            if not count:
                raise self._changed()
            filled += count
        self.left -= filled
        self._name.update(wanted)
        if self._sha256 is not None:
            self._sha256.update(wanted)
        return wanted

    def blob(self) -> Blob:
        """Return what was read, once all is."""
        now = os.fstat(self._file.fileno())
        if (now.st_size, now.st_mtime_ns) != (self.size, self.status.st_mtime_ns):
            raise self._changed()
        if self._sha256 is not None and self._sha256.hexdigest() != self._source.sha256:
            raise DamageError(
                f"{self._source.path} is altered: its SHA-256 is not the recorded one"
            )
        return Blob(self._name.hexdigest(), self.status)

    def _changed(self) -> FileChangedError:
        return FileChangedError(
            f"{self._source.path} was changed by another program while it was committed; "
            "commit again when it is done"
        )

    def __enter__(self) -> _Reading:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


class _Buffer:
    """Room for some stored blocks, whose headers have their place between the payloads."""

    def __init__(self) -> None:
        block = _HEAD.pack(0, _PAYLOAD, 0) + bytes(_PAYLOAD)
        self._bytes = bytearray(block * _BLOCKS)
        whole = memoryview(self._bytes)
        size = len(block)
        self.whole = whole
        self.room = whole[:_ROOM]
        self.payloads = [whole[at * size + _HEAD.size : (at + 1) * size] for at in range(_BLOCKS)]

    def head(self, block: int, size: int, last: bool) -> int:
        """Write the header of a block; return where the block ends."""
        start = block * (_HEAD.size + _PAYLOAD)
        _HEAD.pack_into(self._bytes, start, last, size, size ^ 0xFFFF)
        return start + _HEAD.size + size


# Something made with a buffer, which is free again once it is taken.
_Taken: TypeAlias = "tuple[_Buffer, bytes | memoryview]"


class _Stream:
    """The thread that reads, and the two queues between it and the one who takes the parts."""

    def __init__(self, sources: Sequence[Source], algorithm: str) -> None:
        self._sources = sources
        self._algorithm = algorithm
        self._free: SimpleQueue[_Buffer | None] = SimpleQueue()  # None ends the thread
        self._ready: SimpleQueue[Part | _Taken | BaseException | None] = SimpleQueue()
        self._made = 0
        self._thread = Thread(target=self._work, name="kvcs-pack", daemon=True)
        self._thread.start()

    def parts(self) -> Iterator[Part]:
        """Yield the parts as they come."""
        while (part := self._ready.get()) is not None:
            if isinstance(part, BaseException):
                raise part
            if isinstance(part, tuple):
                buffer, content = part
                yield content
                self._free.put(buffer)
            else:
                yield part

    def stop(self) -> None:
        """End the thread, also in the middle of a file."""
        self._free.put(None)
        self._thread.join()

    def _work(self) -> None:
        try:
            for source in self._sources:
                with _Reading(source, self._algorithm) as reading:
                    self._ready.put(reading.size)
                    self._lay_out(source, reading)
                    self._ready.put(Finished(reading.blob()))
            self._ready.put(None)
        except _NobodyWaitsError:
            pass
        except BaseException as error:  # whatever it is, it is for the one who waits
            self._ready.put(error)

    def _lay_out(self, source: Source, reading: _Reading) -> None:
        if source.tensor and reading.size > _SMALL:
            self._store(reading)
            return
        buffer = self._buffer()
        head = reading.into(buffer.room[: _SMALL if reading.left > _SMALL else reading.left])
        small = zlib.compress(head)
        if head and len(small) > _WORTH * len(head):
            self._store(reading, head=bytes(head))
            self._free.put(buffer)
        elif not reading.left:
            self._ready.put((buffer, small))
        else:
            self._deflate(reading, buffer, head)

    def _store(self, reading: _Reading, head: bytes = b"") -> None:
        """Lay a file out in stored blocks, the first of which holds what was read already."""
        self._ready.put(_STORED)
        adler = zlib.adler32(head)
        if head:
            self._ready.put(_HEAD.pack(not reading.left, len(head), len(head) ^ 0xFFFF) + head)
        while reading.left:
            buffer = self._buffer()
            end = 0
            for number, payload in enumerate(buffer.payloads):
                part = reading.into(payload)
                adler = zlib.adler32(part, adler)
                end = buffer.head(number, len(part), not reading.left)
                if not reading.left:
                    break
            self._ready.put((buffer, buffer.whole[:end]))
        self._ready.put(struct.pack(">I", adler))

    def _deflate(self, reading: _Reading, buffer: _Buffer, part: memoryview) -> None:
        """Deflate a large file, of which the first part was read already."""
        deflate = zlib.compressobj()
        while True:
            self._ready.put((buffer, deflate.compress(part)))
            if not reading.left:
                break
            buffer = self._buffer()
            part = reading.into(buffer.room)
        self._ready.put(deflate.flush())

    def _buffer(self) -> _Buffer:
        """Return the next buffer; each comes back when what was made with it is taken."""
        if self._made < _BUFFERS and self._free.empty():
            self._made += 1
            return _Buffer()
        buffer = self._free.get()
        if buffer is None:
            raise _NobodyWaitsError
        return buffer


def _open(path: Path) -> BinaryIO:
    """Open a file, and no link to one, without a buffer."""

    def opener(name: str, flags: int) -> int:
        return os.open(name, flags | getattr(os, "O_NOFOLLOW", 0))

    return open(path, "rb", buffering=0, opener=opener)
