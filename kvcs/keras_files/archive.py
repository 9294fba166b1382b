"""The `.keras` archive, opened with suspicion: a zip file with a config, HDF5 and assets."""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from kvcs import canon
from kvcs.errors import FormatError, RestoreError
from kvcs.keras_files import NeedsKerasError
from kvcs.keras_files.hdf5 import BOMB_FACTOR, BOMB_FLOOR, Arrays
from kvcs.names import folded

# What `zipfile` raises of a damaged file, some of it for names that are no text.
DAMAGED = (zipfile.BadZipFile, EOFError, zlib.error, struct.error, ValueError, LookupError)
CONFIG, METADATA, WEIGHTS, ASSETS = "config.json", "metadata.json", "model.weights.h5", "assets/"


@dataclass(frozen=True, slots=True)
class Archive:
    """An open archive.

    Attributes:
        config: the model as Keras serialises it.
        keras_version: the Keras that wrote it.
        arrays: its variables.
        assets: its other files, by their path below `assets/`.
    """

    config: dict[str, Any]
    keras_version: str
    arrays: Arrays
    assets: dict[str, Callable[[], bytes]]


@contextmanager
def opened(path: str) -> Iterator[Archive]:
    """Open a `.keras` file; nothing is extracted.

    Raises:
        RestoreError: it is no such file, is damaged, or was made to do harm.
        NeedsKerasError: it holds something that Keras does not write today.
    """
    with ExitStack() as stack:
        with explained(path):
            file = stack.enter_context(Path(path).open("rb"))
            archive = stack.enter_context(zipfile.ZipFile(file))
            members = checked_members(archive, path)
            _check_usual(members, path)
            config = _json(archive, CONFIG, path)
            metadata = _json(archive, METADATA, path)
            content = weights(archive, members[WEIGHTS], file, path)
        arrays = Arrays(content, path)
        stack.callback(arrays.close)
        yield Archive(
            config=config,
            keras_version=str(metadata.get("keras_version")),
            arrays=arrays,
            assets={
                name.removeprefix(ASSETS): partial(_asset, archive, name, path)
                for name, info in members.items()
                if name.startswith(ASSETS) and not info.is_dir()
            },
        )


@contextmanager
def explained(path: str) -> Iterator[None]:
    """Turn what `zipfile` says of a file into a sentence."""
    try:
        yield
    except DAMAGED as error:
        raise RestoreError(f"{path} is no file that Keras wrote, or it is damaged") from error
    except (OSError, NotImplementedError, RuntimeError) as error:  # encrypted, or packed as no zip
        raise RestoreError(f"{path} cannot be read: {error}") from error


def _asset(archive: zipfile.ZipFile, name: str, path: str) -> bytes:
    with explained(path):
        return archive.read(name)


def checked_members(archive: zipfile.ZipFile, path: str) -> dict[str, zipfile.ZipInfo]:
    """Return what stands in an archive; nothing is unpacked.

    Raises:
        RestoreError: it was made to do harm.
    """
    found: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        name = info.filename
        if name in found:
            raise RestoreError(f"{path} is refused: it holds {name} twice")
        if re.search(r"(^|/)\.\.?(/|$)|^/|//|[\\:\0]", name) or (info.external_attr >> 28) == 0xA:
            raise RestoreError(f"{path} is refused: {name!r} in it leads out of the archive")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise RestoreError(f"{path} is refused: {name} in it is packed as Keras packs nothing")
        if info.file_size > max(BOMB_FLOOR, BOMB_FACTOR * info.compress_size):
            raise RestoreError(
                f"{path} is refused: {name} in it would grow from {info.compress_size:,} "
                f"to {info.file_size:,} bytes"
            )
        found[name] = info
    places = Counter(map(folded, found))
    alike = [name for name in found if places[folded(name)] > 1]
    if alike:
        raise RestoreError(f"{path} is refused: two names in it differ only in case: {alike[0]!r}")
    # Members can share their bytes, so that each by itself is no bomb.
    whole, packed = sum(info.file_size for info in found.values()), Path(path).stat().st_size
    if whole > max(BOMB_FLOOR, BOMB_FACTOR * packed):
        raise RestoreError(f"{path} is refused: it would grow from {packed:,} to {whole:,} bytes")
    return found


def _check_usual(found: Mapping[str, zipfile.ZipInfo], path: str) -> None:
    """Leave to Keras what it does not write today."""
    for name in (CONFIG, METADATA, WEIGHTS):
        if name not in found:
            raise NeedsKerasError(f"{path} holds no {name}")
    others = [name for name in found if name not in (CONFIG, METADATA, WEIGHTS)]
    strange = [name for name in others if not name.startswith(ASSETS)]
    if strange:
        raise NeedsKerasError(f"{path} holds {strange[0]}, which Keras does not write")


def _json(archive: zipfile.ZipFile, name: str, path: str) -> dict[str, Any]:
    return parsed(archive.read(name), f"{name} in {path}")


def parsed(text: bytes | str, what: str) -> dict[str, Any]:
    """Parse JSON that must be one object, in which no key stands twice.

    Raises:
        RestoreError: it is not.
    """
    try:
        found = canon.foreign(text)
    except FormatError as error:
        raise RestoreError(f"{what} is no JSON that Keras would write: {error}") from error
    if not isinstance(found, dict):
        raise RestoreError(f"{what} is no JSON object")
    return found


def weights(archive: zipfile.ZipFile, info: zipfile.ZipInfo, file: BinaryIO, path: str) -> BinaryIO:
    """Return the HDF5 file: where it stands, if it is not compressed, as Keras leaves it.

    Raises:
        RestoreError: its checksum is another.
    """
    if info.compress_type != zipfile.ZIP_STORED:
        return io.BytesIO(archive.read(info))  # checks the checksum
    with archive.open(info):  # checks the header
        pass
    file.seek(info.header_offset + 26)
    lengths = file.read(4)
    start = (
        info.header_offset
        + 30
        + sum(int.from_bytes(lengths[at : at + 2], "little") for at in (0, 2))
    )
    window = Window(file, start, info.file_size)
    if _crc(window) != info.CRC:
        raise RestoreError(f"{path} is damaged: the checksum of {WEIGHTS} in it is another")
    return window  # type: ignore[return-value]


def _crc(file: io.RawIOBase) -> int:
    """HDF5 has no checksums: the archive's is the only one over the weights."""
    crc = 0
    block = bytearray(1 << 20)
    file.seek(0)
    while size := file.readinto(block):
        crc = zlib.crc32(memoryview(block)[:size], crc)
    return crc


class Window(io.RawIOBase):
    """A part of a file, as a file."""

    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        self._file, self._start, self._size, self._at = file, start, size, 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move within the part."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        """Return the position in the part."""
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Read what is left of the part, at most."""
        view = memoryview(buffer).cast("B")
        view = view[: max(0, min(len(view), self._size - self._at))]
        self._file.seek(self._start + self._at)
        count = self._file.readinto(view)  # type: ignore[attr-defined]
        self._at += count
        return int(count)
