"""A directory, read as a stored model."""

from __future__ import annotations

import errno
import os
import stat
import sys
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

from kvcs.errors import DamageError, OperandError
from kvcs.pointer import Pointer
from kvcs.tree.partial import Objects, Partial, Progress, behind, silent, unheld
from kvcs.workdir.staging import heal, open_directory, real

MAX_DEPTH = 200


class Directory(Partial):
    """The files below a directory, from POSIX path to content, each read when it is asked for.

    The directory is listed once, at first use. When `replace` exchanges it afterwards, further
    reads fail: no reader gets one file of the old model and one of the new.

    Args:
        root: the directory.
        objects: what Git LFS pointers in it point to, asked for when there is one; without, a
            pointer is a file like any other.

    Raises:
        OperandError: there is no such directory, or it cannot be read.
        DamageError: it holds a symbolic link, a device or the like.
    """

    def __init__(self, root: Path, objects: Callable[[], Objects] | None = None) -> None:
        self.root = root
        self._objects = objects

    def __getitem__(self, path: str) -> bytes:
        found = self.stored(path)
        return found if self._objects is None else behind(found, self._objects)

    def absent(self, paths: Iterable[str]) -> dict[str, Pointer | None]:
        """Return the files that point to objects which are not on this machine."""
        if self._objects is None:
            return {}
        sizes = {path: self.size(path) for path in paths if path in self._paths}
        return {**unheld(sizes, self.stored, self._objects)}

    def fetch(
        self, paths: Iterable[str], progress: Progress = silent, *, pointed: bool = True
    ) -> None:
        """Bring what pointers stand for to this machine; the directory stays as it is."""
        absent = self.absent(paths) if pointed else {}
        if absent and self._objects is not None:
            self._objects().fetch([each for each in absent.values() if each], progress)

    def stored(self, path: str) -> bytes:
        """Return a file as it is, a Git LFS pointer for example."""
        with self._place(path) as place, open_file(place) as file:
            return file.read()

    def __contains__(self, path: object) -> bool:
        return path in self._paths

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)

    def size(self, path: str) -> int:
        """Return the size of a file in bytes."""
        with self._place(path) as place:
            return place.lstat().st_size

    @contextmanager
    def _place(self, path: str) -> Iterator[Path]:
        if path not in self._paths:
            raise KeyError(path)
        with _reading(self.root / path):
            try:
                yield self.root / path
            finally:  # also after an error: that the file is gone is then the smaller truth
                self._check_same()

    @cached_property
    def _paths(self) -> dict[str, None]:
        with _reading(self.root):
            heal(real(self.root))
            if not self.root.exists():
                raise OperandError(f"{self.root}: no such directory")
            if not self.root.is_dir():
                raise OperandError(f"{self.root} is a file, not the directory of a model")
            self._status = self._hold()
            paths = dict.fromkeys(sorted(self._list()))
            self._check_same()
        return paths

    def _hold(self) -> os.stat_result:
        if sys.platform == "win32":
            return self.root.stat()
        # Kept open, for the inode number of a removed directory soon belongs to another one.
        fd = open_directory(self.root)
        weakref.finalize(self, os.close, fd)
        return os.fstat(fd)

    def _check_same(self) -> None:
        if not os.path.samestat(self._status, self.root.stat()):
            raise OperandError(f"{self.root} was replaced while it was read; try again")

    def _list(self) -> Iterator[str]:
        for path, regular in walk(self.root):
            if not regular:
                raise DamageError(
                    f"{self.root / path} is neither a file nor a directory, and a stored model "
                    "has no links or devices; remove it"
                )
            yield path


@contextmanager
def _reading(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = error.filename or place  # perhaps a directory somewhere below
        raise OperandError(f"could not read {where}: {error.strerror}") from error


def walk(directory: Path, prefix: str = "") -> Iterator[tuple[str, bool]]:
    """Yield the path of all below that is no directory, and whether it is a regular file.

    Raises:
        DamageError: directories stand in directories without an end.
    """
    if prefix.count("/") > MAX_DEPTH:
        raise DamageError(f"{directory} stands more than {MAX_DEPTH} directories deep; remove it")
    with os.scandir(directory) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        if entry.is_dir(follow_symlinks=False):
            yield from walk(Path(entry.path), f"{prefix}{entry.name}/")
        else:
            yield prefix + entry.name, entry.is_file(follow_symlinks=False)


def open_file(place: Path) -> BinaryIO:
    """Open a file to read it, and no link to one; nor a pipe, which would be waited for."""

    def opener(name: str, flags: int) -> int:
        more = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        descriptor = os.open(name, flags | more)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(errno.EINVAL, "it is no regular file", name)
        return descriptor

    return open(place, "rb", opener=opener)
