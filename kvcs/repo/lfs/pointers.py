"""Which files in git are pointers of Git LFS, and which of their objects are missing."""

from __future__ import annotations

from collections.abc import Iterable

from kvcs.pointer import LIMIT, Pointer, parse
from kvcs.repo.changes import read_small
from kvcs.repo.lfs.store import LfsStore
from kvcs.repo.program import GitProgram


def pointers(git: GitProgram, files: Iterable[tuple[str, str]]) -> list[tuple[str, Pointer]]:
    """Return those of some files, given as object and path, that are pointers, with their paths."""
    listed = list(files)
    contents = read_small(git, (object_id for object_id, _ in listed), LIMIT)
    found = ((path, parse(contents.get(object_id, b""))) for object_id, path in listed)
    return [(path, pointer) for path, pointer in found if pointer is not None]


def without_object(git: GitProgram, found: Iterable[tuple[str, Pointer]]) -> list[str]:
    """Return the paths of those pointers whose objects are not in the local store of Git LFS."""
    store = LfsStore(git)
    return [path for path, each in found if each.size and not store.holds(each)]
