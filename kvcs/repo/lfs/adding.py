"""Files that Git LFS keeps, on their way into a commit: objects in its store, pointers in git.

It is what the filter of git-lfs makes of them, without a process that every file goes through and
comes back from: a file is read once, and hashed while it is copied.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from kvcs.errors import DamageError
from kvcs.pointer import LIMIT, Pointer, parse
from kvcs.repo.lfs.store import LfsStore
from kvcs.repo.object_settings import Settings
from kvcs.repo.packs.streaming import Blob, FileChangedError
from kvcs.repo.program import WRITING, GitProgram

# As `git lfs install` writes it. Another filter of that name makes of files what it likes.
_FILTER = "git-lfs filter-process"

# Files with one of these are converted besides.
_CONVERTING = (b"ident", b"working-tree-encoding")
_UNSET = (b"unset", b"unspecified")

_THREADS = min(4, os.cpu_count() or 1)


def kept_by_lfs(git: GitProgram, settings: Settings, files: Mapping[bytes, Path]) -> set[bytes]:
    """Return which of some files git-lfs alone would turn into pointers.

    Args:
        git: the program, to ask for attributes.
        settings: the settings of the repository.
        files: the files by their path in the repository.
    """
    if not files or settings.values.get("filter.lfs.process") != _FILTER:
        return set()
    by_file = {bytes(place): path for path, place in files.items()}
    question = b"".join(name + b"\0" for name in by_file)
    attributes = ("filter", "ident", "working-tree-encoding")
    answer = git.check("check-attr", "-z", "--stdin", *attributes, stdin=question).records
    found = {
        (by_file[name], attribute): value
        for name, attribute, value in zip(*(iter(answer),) * 3, strict=True)
    }
    return {
        path
        for path in files
        if found[path, b"filter"] == b"lfs"
        and all(found[path, attribute] in _UNSET for attribute in _CONVERTING)
    }


def store_in_lfs(
    git: GitProgram,
    settings: Settings,
    files: Mapping[bytes, Path],
    checked: Mapping[bytes, str],
) -> dict[bytes, Blob]:
    """Put files into the store of git-lfs, and their pointers into git; return the pointers.

    A file that is a pointer itself is left out.

    Args:
        git: the program.
        settings: the settings of the repository.
        files: the files by their path in the repository.
        checked: the SHA-256 that a file should have, for those where that is known.

    Raises:
        RepositoryError: the store cannot be written, or a file changed while it was read.
        DamageError: a file has not the checksum it should have.
    """
    whole = {path: place for path, place in files.items() if not _is_pointer(place)}
    store = LfsStore(git)

    def add(path: bytes) -> tuple[Pointer, os.stat_result]:
        return _add(store, whole[path], checked.get(path))

    with ThreadPoolExecutor(_THREADS) as pool:
        added = dict(zip(whole, pool.map(add, whole), strict=True))
    _write(git, store, sorted({bytes(pointer) for pointer, _ in added.values()}))
    return {
        path: Blob(_name(bytes(pointer), settings.algorithm), status)
        for path, (pointer, status) in added.items()
    }


def _is_pointer(place: Path) -> bool:
    with place.open("rb", buffering=0) as file:
        return parse(file.read(LIMIT)) is not None


def _add(store: LfsStore, place: Path, sha256: str | None) -> tuple[Pointer, os.stat_result]:
    with place.open("rb", buffering=0) as file:
        before = os.fstat(file.fileno())
        pointer = store.add(file, sha256)
        after = os.fstat(file.fileno())
    if (after.st_size, after.st_mtime_ns) != (pointer.size, before.st_mtime_ns):
        raise FileChangedError(
            f"{place} was changed by another program while it was committed; "
            "commit again when it is done"
        )
    if sha256 and pointer.oid != sha256:
        raise DamageError(f"{place} is altered: its SHA-256 is not the recorded one")
    return pointer, after


def _name(content: bytes, algorithm: str) -> str:
    return hashlib.new(algorithm, b"blob %d\0%b" % (len(content), content)).hexdigest()


def _write(git: GitProgram, store: LfsStore, pointers: Sequence[bytes]) -> None:
    """Make objects of git of the pointers, by one process for all of them."""
    if not pointers:
        return
    with tempfile.TemporaryDirectory(dir=store.temporary()) as directory:
        places = []
        for number, content in enumerate(pointers):
            places.append(Path(directory, str(number)))
            places[-1].write_bytes(content)
        names = b"".join(bytes(place) + b"\n" for place in places)
        command = ("hash-object", "-w", "--no-filters", "--stdin-paths")
        git.check(*command, stdin=names, environment=WRITING)
