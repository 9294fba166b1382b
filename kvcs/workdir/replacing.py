"""A directory, replaced by one that holds exactly the given files."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, TypeAlias

from kvcs.errors import SaveError
from kvcs.workdir.disk import Disk
from kvcs.workdir.reading import open_file, walk
from kvcs.workdir.staging import clear, exchange, make_wrapper, moved, real, turn, writing

Buffer: TypeAlias = bytes | bytearray | memoryview

MANIFEST = "model.json"
NAMES = frozenset({MANIFEST, "training.json", "state.json", "layer.json", "index.json"})
ASSETS = "assets"

_CHUNK = 1 << 20


def owns(path: str) -> bool:
    """Tell whether a stored model can have a file at this path; `replace` deletes no other."""
    *above, name = path.split("/")
    return name in NAMES or name.endswith(".npy") or ASSETS in above


@dataclass(frozen=True, slots=True)
class Replaced:
    """What `replace` did: the paths it wrote, found equal and kept, and removed, each sorted."""

    written: tuple[str, ...]
    kept: tuple[str, ...]
    removed: tuple[str, ...]


def replace(root: Path, files: Iterable[tuple[str, Sequence[Buffer]]]) -> Replaced:
    """Make a directory hold exactly these files; it has its old content or all of the new.

    When every file is there already and no other, nothing on disk is touched. Writers of the same
    directory wait for each other where the file system has locks; the last one wins.

    Args:
        root: the directory, or a link to it; created with its parents where it is missing.
        files: path and content of every file, the content as buffers to be concatenated. Only
            one file's buffers are held at a time.

    Raises:
        SaveError: the directory holds what kvcs did not write, or the disk said no.
        ValueError: a path is not clean, comes twice, or is none that `owns` knows.
    """
    with ExitStack() as resources:
        with writing(root):
            save = _Replacement(root, resources)
        for path, buffers in files:  # what the iteration raises is for the caller
            with writing(root):
                save.add(path, [_view(buffer) for buffer in buffers])
            del buffers  # or it would stay in memory while the next file is produced
        with writing(root):
            return save.commit()


class _Replacement:
    """A `replace` under way. Its wrapper appears with the first difference, not before."""

    def __init__(self, root: Path, resources: ExitStack) -> None:
        self._root = root
        self._target = real(root)
        self._resources = resources
        clear(self._target.parent)
        self._alone = resources.enter_context(turn(self._target))
        self._old = self._replaceable()
        self._equal: dict[str, os.stat_result] = {}
        self._written: set[str] = set()
        self._disk = Disk()

    def add(self, path: str, content: list[memoryview]) -> None:
        """Take the next file: remember it when the old one is equal, else stage it."""
        _check(path)
        if path in self._equal or path in self._written:
            raise ValueError(f"{path!r} comes twice")
        same = _same(self._target / path, content) if path in self._old else None
        if same:
            self._equal[path] = same
        else:
            size = sum(view.nbytes for view in content)
            self._disk.take(_write(self._stage / path, content), size)
            self._written.add(path)

    def commit(self) -> Replaced:
        """Put the staged directory in the place of the old one, unless they are equal."""
        removed = self._old - self._equal.keys() - self._written
        if removed or self._written:
            for path, status in self._equal.items():
                _link(self._target / path, self._stage / path, status)
            if self._target.exists():
                shutil.copymode(self._target, self._stage)  # a private model stays private
            self._disk.finish()
            self._swap()
        return Replaced(
            written=tuple(sorted(self._written)),
            kept=tuple(sorted(self._equal)),
            removed=tuple(sorted(removed)),
        )

    @cached_property
    def _stage(self) -> Path:
        stage = self._resources.enter_context(make_wrapper(self._target.parent)) / "new"
        stage.mkdir()
        self._resources.callback(self._disk.give_up)  # before the wrapper goes
        return stage

    def _swap(self) -> None:
        """Exchange, or two renames where the system has no exchange (`_discard` undoes one)."""
        aside = self._stage.parent / "old" / self._target.name
        while not moved(self._stage, self._target):
            # Something stands there, perhaps only since a moment: the same rules apply to it.
            self._alone = self._alone or self._resources.enter_context(turn(self._target))
            self._replaceable()
            if exchange(self._stage, self._target):
                return
            aside.parent.mkdir(exist_ok=True)
            shutil.rmtree(aside, ignore_errors=True)  # another writer came between two renames
            self._target.rename(aside)

    def _replaceable(self) -> set[str]:
        """Return the files there are, and refuse a place with anything kvcs did not write."""
        root, target = self._root, self._target
        if not target.is_dir():
            if target.exists() or root.is_symlink():
                raise SaveError(f"{root} is not a directory; remove it, or choose another place")
            return set()
        if any(target.iterdir()) and not (target / MANIFEST).exists():
            raise SaveError(
                f"{root} is not empty and has no {MANIFEST}, so it is no stored model; "
                "choose another directory"
            )
        found = set()
        for path, regular in walk(target):
            if not (regular and owns(path)):
                raise SaveError(
                    f"{root / path} is no part of a stored model, and would be deleted; "
                    "move it away, or choose another directory"
                )
            found.add(path)
        return found


def _check(path: str) -> None:
    unclean = any(part in ("", ".", "..") for part in path.split("/"))
    if unclean or "\\" in path or "\0" in path or not owns(path):
        raise ValueError(f"{path!r} is no path of a file in a stored model")


def _view(buffer: Buffer) -> memoryview:
    view = memoryview(buffer)
    return view.cast("B") if view.nbytes else memoryview(b"")  # no cast of a shape with a zero


def _same(place: Path, content: list[memoryview]) -> os.stat_result | None:
    """Return the status of a file if it has exactly this content."""
    with open_file(place) as file:
        status = os.fstat(file.fileno())
        if status.st_size != sum(view.nbytes for view in content):
            return None
        for view in content:
            for start in range(0, view.nbytes, _CHUNK):
                piece = view[start : start + _CHUNK]
                # As bytearray, which is compared by memcmp; memoryviews go item by item.
                if bytearray(file.read(piece.nbytes)) != piece:
                    return None
    return status


def _write(place: Path, content: list[memoryview]) -> BinaryIO:
    """Write a new file and return it open, for the disk may not have it yet."""
    with ExitStack() as on_error:
        try:
            file = on_error.enter_context(place.open("xb"))
        except FileNotFoundError:  # the first in its directory
            place.parent.mkdir(parents=True, exist_ok=True)
            file = on_error.enter_context(place.open("xb"))
        for view in content:
            file.write(view)
        file.flush()
        on_error.pop_all()
    return file


def _link(old: Path, new: Path, compared: os.stat_result) -> None:
    """Take a file over into the stage: the very one that was compared."""
    new.parent.mkdir(parents=True, exist_ok=True)
    try:
        new.hardlink_to(old)
    except OSError:  # no links here, too many, or another user's file
        shutil.copy2(old, new)
    now = old.lstat()
    unchanged = now.st_mtime_ns == compared.st_mtime_ns and now.st_size == compared.st_size
    if not (unchanged and os.path.samestat(now, compared)):
        raise SaveError(f"{old} was changed by another program meanwhile; save again")
