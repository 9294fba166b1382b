"""A pointer of Git LFS: one has one spelling."""

from __future__ import annotations

from collections.abc import Iterator

from kvcs.pointer import LIMIT, Pointer, parse


def examples() -> Iterator[bytes]:
    """Yield pointers."""
    yield bytes(Pointer("0" * 64, 0))
    yield bytes(Pointer("0123456789abcdef" * 4, 10**18))
    yield bytes(Pointer("f" * 64, 1)).replace(b"git-lfs.github", b"hawser.github")


def one_input(data: bytes) -> None:
    """Read a pointer, and write it again."""
    found = parse(data)
    if found is not None:
        assert len(data) < LIMIT
        assert bytes(found) == data.replace(b"hawser.github", b"git-lfs.github")
