"""What Git LFS puts in the place of a file: a few lines that name its object."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kvcs.repo.changes import read_small
from kvcs.repo.program import GitProgram
from kvcs.repo.settings import get

# Larger files are none, by the specification of Git LFS.
LARGEST = 1024

_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n(?:[a-z0-9.-]+ [^\n]*\n)*?"
    rb"oid sha256:([0-9a-f]{64})\nsize ([0-9]{1,19})\n"
)


@dataclass(frozen=True, slots=True)
class Pointer:
    """A pointer: the SHA-256 of the file it stands for, and its size in bytes."""

    sha256: str
    size: int


def parse_pointer(data: bytes) -> Pointer | None:
    """Return the pointer that a file is, or None."""
    found = _POINTER.fullmatch(data) if len(data) < LARGEST else None
    return Pointer(found[1].decode(), int(found[2])) if found else None


def pointers(git: GitProgram, files: Iterable[tuple[str, str]]) -> list[tuple[str, Pointer]]:
    """Return those of some files, given as object and path, that are pointers, with their paths."""
    listed = list(files)
    contents = read_small(git, (object_id for object_id, _ in listed), LARGEST)
    found = ((path, parse_pointer(contents.get(object_id, b""))) for object_id, path in listed)
    return [(path, pointer) for path, pointer in found if pointer is not None]


def without_object(git: GitProgram, found: Iterable[tuple[str, Pointer]]) -> list[str]:
    """Return the paths of those pointers whose objects are not in the local store of Git LFS."""
    common = Path(git.check("rev-parse", "--path-format=absolute", "--git-common-dir").text)
    store = common / (get(git, "lfs.storage") or "lfs") / "objects"
    return [
        path
        for path, each in found
        if each.size and not (store / each.sha256[:2] / each.sha256[2:4] / each.sha256).exists()
    ]
