"""Stored models of which not every file is on this machine.

In a clone with Git LFS, a file may be a pointer to an object that was never fetched; in a partial
clone, git itself left files at its remote. Such a model can be listed, shown and told apart from
others; what has to be read is fetched in one go.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol, TypeAlias

from kvcs.pointer import LIMIT, Pointer, parse

# Told what is fetched: bytes done, and bytes in all, which is 0 where nobody knows.
Progress: TypeAlias = Callable[[int, int], None]


def silent(done: int, total: int) -> None:
    """Take no notice of progress."""


class Objects(Protocol):
    """What pointers point to."""

    def holds(self, pointer: Pointer) -> bool:
        """Tell whether an object is on this machine."""

    def read(self, pointer: Pointer) -> bytes:
        """Return an object, fetched if need be."""

    def fetch(self, pointers: Iterable[Pointer], progress: Progress) -> None:
        """Bring objects to this machine, in one go."""


class Partial(Mapping[str, bytes], ABC):
    """A stored model; reading what is not on this machine fetches it, one file at a time."""

    @abstractmethod
    def absent(self, paths: Iterable[str]) -> Mapping[str, Pointer | None]:
        """Return which of the files cannot be read here, each with its pointer if it has one.

        Nothing is fetched to find out. JSON files are not looked into: what describes a model is
        in git itself.
        """

    @abstractmethod
    def fetch(
        self, paths: Iterable[str], progress: Progress = silent, *, pointed: bool = True
    ) -> None:
        """Bring files to this machine, all in one go.

        Args:
            paths: the files.
            progress: told how far it is.
            pointed: also what pointers stand for; without, a pointer is enough.

        Raises:
            KvcsError: one of them cannot be had.
        """


def behind(content: bytes, objects: Callable[[], Objects]) -> bytes:
    """Return what a file stands for: itself, or the object it points to."""
    pointer = parse(content)
    return content if pointer is None else objects().read(pointer)


def unheld(
    sizes: Mapping[str, int], read: Callable[[str], bytes], objects: Callable[[], Objects]
) -> dict[str, Pointer]:
    """Return the files that point to objects which are not on this machine.

    Args:
        sizes: sizes of the files to look at, by path: what is large, or JSON, is not read.
        read: returns the content of a file as it is.
        objects: asked for when there is a pointer, and not before.
    """
    small = [path for path, size in sizes.items() if size < LIMIT and not path.endswith(".json")]
    found = {path: pointer for path in small if (pointer := parse(read(path))) is not None}
    return {path: pointer for path, pointer in found.items() if not objects().holds(pointer)}
