"""Directories of the file system: read as a stored model, and replaced all or nothing.

`replace` never writes into the directory it replaces. The new one is staged in a wrapper beside
it, where unchanged files are links to the old ones, and then the two are exchanged in one step:

    models/
    ├── mnist/                the model
    └── .kvcs-x3k9_q2a/       the wrapper, there while a save is under way
        ├── .gitignore        "*", so that `git add .` sees nothing; locked while its owner lives
        ├── new/              the staged model, and after the exchange the old one
        └── old/mnist/        the old model between two renames, where nothing can be exchanged

Whatever a killed process leaves is one such wrapper; the next save in `models/` removes it.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, TypeAlias

from kvcs.errors import DamageError, OperandError, SaveError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

Buffer: TypeAlias = bytes | bytearray | memoryview

MANIFEST = "model.json"
NAMES = frozenset({MANIFEST, "training.json", "state.json", "layer.json", "index.json"})
ASSETS = "assets"

WRAPPER = ".kvcs-"
IGNORE = ".gitignore"
IGNORE_ALL = b"# A save by kvcs under way; what a killed one leaves, the next one removes.\n*\n"

_CHUNK = 1 << 20
_OCCUPIED = (errno.ENOTEMPTY, errno.EEXIST)
_PINNED = (errno.EXDEV, errno.EBUSY)
_NO_EXCHANGE = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP)


def owns(path: str) -> bool:
    """Tell whether a stored model can have a file at this path; `replace` deletes no other."""
    *above, name = path.split("/")
    return name in NAMES or name.endswith(".npy") or ASSETS in above


class Directory(Mapping[str, bytes]):
    """The files below a directory, from POSIX path to content, each read when it is asked for.

    The directory is listed once, at first use. When `replace` exchanges it afterwards, further
    reads fail: no reader gets one file of the old model and one of the new.

    Raises:
        OperandError: there is no such directory, or it cannot be read.
        DamageError: it holds a symbolic link, a device or the like.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def __getitem__(self, path: str) -> bytes:
        with self._place(path) as place, _open(place) as file:
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
            _heal(_real(self.root))
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
        fd = _open_directory(self.root)
        weakref.finalize(self, os.close, fd)
        return os.fstat(fd)

    def _check_same(self) -> None:
        if not os.path.samestat(self._status, self.root.stat()):
            raise OperandError(f"{self.root} was replaced while it was read; try again")

    def _list(self) -> Iterator[str]:
        for path, regular in _walk(self.root):
            if not regular:
                raise DamageError(
                    f"{self.root / path} is neither a file nor a directory, and a stored model "
                    "has no links or devices; remove it"
                )
            yield path


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
        with _writing(root):
            save = _Replacement(root, resources)
        for path, buffers in files:  # what the iteration raises is for the caller
            with _writing(root):
                save.add(path, [_view(buffer) for buffer in buffers])
            del buffers  # or it would stay in memory while the next file is produced
        with _writing(root):
            return save.commit()


def replace_file(path: Path, buffers: Sequence[Buffer]) -> None:
    """Make a file hold the concatenation of buffers: it has its old content or all of the new.

    Raises:
        SaveError: there is something else at the path, or the disk said no.
    """
    views = [_view(buffer) for buffer in buffers]
    with _writing(path):
        target = _real(path)
        if target.exists() and not target.is_file():
            raise SaveError(f"{path} is not a file; remove it, or choose another place")
        if target.exists() and _same(target, views):
            return
        with _wrapper(target.parent) as wrapper:
            staged = wrapper / "new" / target.name
            _write(staged, views)
            if target.exists():
                shutil.copymode(target, staged)
            staged.replace(target)


class _Replacement:
    """A `replace` under way. Its wrapper appears with the first difference, not before."""

    def __init__(self, root: Path, resources: ExitStack) -> None:
        self._root = root
        self._target = _real(root)
        self._resources = resources
        _heal(self._target)
        self._alone = resources.enter_context(_turn(self._target))
        self._old = self._replaceable()
        self._equal: dict[str, os.stat_result] = {}
        self._written: set[str] = set()

    def add(self, path: str, content: list[memoryview]) -> None:
        """Take the next file: remember it when the old one is equal, else stage it."""
        _check(path)
        if path in self._equal or path in self._written:
            raise ValueError(f"{path!r} comes twice")
        same = _same(self._target / path, content) if path in self._old else None
        if same:
            self._equal[path] = same
        else:
            _write(self._stage / path, content)
            self._written.add(path)

    def commit(self) -> Replaced:
        """Put the staged directory in the place of the old one, unless they are equal."""
        removed = self._old - self._equal.keys() - self._written
        if removed or self._written:
            for path, status in self._equal.items():
                _link(self._target / path, self._stage / path, status)
            if self._target.exists():
                shutil.copymode(self._target, self._stage)  # a private model stays private
            self._swap()
        return Replaced(
            written=tuple(sorted(self._written)),
            kept=tuple(sorted(self._equal)),
            removed=tuple(sorted(removed)),
        )

    @cached_property
    def _stage(self) -> Path:
        stage = self._resources.enter_context(_wrapper(self._target.parent)) / "new"
        stage.mkdir()
        return stage

    def _swap(self) -> None:
        """Exchange, or two renames where the system has no exchange (`_discard` undoes one)."""
        aside = self._stage.parent / "old" / self._target.name
        while not _moved(self._stage, self._target):
            # Something stands there, perhaps only since a moment: the same rules apply to it.
            self._alone = self._alone or self._resources.enter_context(_turn(self._target))
            self._replaceable()
            if _exchange(self._stage, self._target):
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
        for path, regular in _walk(target):
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


def _real(place: Path) -> Path:
    return Path(os.path.realpath(place))  # `Path.resolve` raises for a link to itself


@contextmanager
def _reading(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = error.filename or place  # perhaps a directory somewhere below
        raise OperandError(f"could not read {where}: {error.strerror}") from error


@contextmanager
def _writing(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        sentence = f"could not write {place}: {error.strerror or error}; {place} is unchanged"
        if error.errno in _PINNED:
            sentence += ". A mount point, or part of a container image? Then move it away first"
        raise SaveError(sentence) from error


def _walk(directory: Path, prefix: str = "") -> Iterator[tuple[str, bool]]:
    """Yield the path of all below that is no directory, and whether it is a regular file."""
    with os.scandir(directory) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path), f"{prefix}{entry.name}/")
        else:
            yield prefix + entry.name, entry.is_file(follow_symlinks=False)


def _open_directory(place: Path) -> int:
    return os.open(place, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))


def _open(place: Path) -> BinaryIO:
    def opener(name: str, flags: int) -> int:
        return os.open(name, flags | getattr(os, "O_NOFOLLOW", 0))

    return open(place, "rb", opener=opener)


def _view(buffer: Buffer) -> memoryview:
    view = memoryview(buffer)
    return view.cast("B") if view.nbytes else memoryview(b"")  # no cast of a shape with a zero


def _same(place: Path, content: list[memoryview]) -> os.stat_result | None:
    """Return the status of a file if it has exactly this content."""
    with _open(place) as file:
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


def _write(place: Path, content: list[memoryview]) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("xb") as file:
        for view in content:
            file.write(view)
        file.flush()
        # Some file systems report a full disk only now; and after a power cut, a new name must
        # not stand for a file that never reached the disk.
        os.fsync(file.fileno())


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


def _moved(new: Path, target: Path) -> bool:
    """Rename to a place where nothing stands, or at most an empty directory."""
    try:
        new.rename(target)
    except OSError as error:
        if error.errno in _OCCUPIED:
            return False
        raise
    return True


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two directories in one step; return False where the system cannot."""
    if sys.platform == "win32":
        return False
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    names = os.fsencode(one), os.fsencode(other)
    try:
        if sys.platform == "darwin":
            failed = libc.renamex_np(*names, ctypes.c_uint(2))  # RENAME_SWAP
        else:
            here = ctypes.c_int(-100)  # AT_FDCWD; 2 is RENAME_EXCHANGE
            failed = libc.renameat2(here, names[0], here, names[1], ctypes.c_uint(2))
    except AttributeError:  # a C library without it
        return False
    if failed and ctypes.get_errno() not in _NO_EXCHANGE:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(other))
    return not failed


@contextmanager
def _turn(directory: Path) -> Iterator[bool]:
    """Wait until no other writer has the directory; False where there is none, or no locks."""
    held = False
    with ExitStack() as opened:
        with suppress(OSError):
            while not held:
                fd = _open_directory(directory)
                opened.callback(os.close, fd)
                if not _lock(fd, wait=True):
                    break
                # Not so if it was exchanged while we waited: then for the new one, once more.
                held = os.path.samestat(os.fstat(fd), directory.stat())
        yield held


def _lock(fd: int, *, wait: bool = False) -> bool:
    """Lock a file until it is closed, at the latest by the death of the process."""
    try:
        if sys.platform == "win32":
            os.lseek(fd, _CHUNK, os.SEEK_SET)  # a byte past the end, so that git can read it
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(fd, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextmanager
def _wrapper(parent: Path) -> Iterator[Path]:
    """Make a wrapper, and its parents where they are missing; remove it afterwards."""
    missing = [place for place in (parent, *parent.parents) if not place.exists()]
    with ExitStack() as stack:
        stack.callback(_remove_empty, missing)
        with _writing(parent):  # not the model itself: there the user would look in vain
            parent.mkdir(parents=True, exist_ok=True)
            with _turn(parent):  # or others would sweep the wrapper before it is locked
                _sweep(parent)
                wrapper = Path(tempfile.mkdtemp(prefix=WRAPPER, dir=parent))
                stack.callback(_remove_shell, wrapper)
                lock = stack.enter_context((wrapper / IGNORE).open("xb", buffering=0))
                lock.write(IGNORE_ALL)
                _lock(lock.fileno())
        stack.callback(_discard, wrapper)
        yield wrapper


def _heal(target: Path) -> None:
    """Where a directory is missing because a writer died between two renames, put it back."""
    if not target.exists() and any(_wrappers(target.parent)):
        with _turn(target.parent):
            _sweep(target.parent)


def _wrappers(parent: Path) -> Iterator[Path]:
    return parent.glob(f"{WRAPPER}????????")  # the length of tempfile's random names


def _sweep(parent: Path) -> None:
    """Remove the wrappers whose owners have died."""
    for wrapper in _wrappers(parent):
        with suppress(OSError), (wrapper / IGNORE).open("rb+") as lock:
            if not (_lock(lock.fileno()) and IGNORE_ALL.startswith(lock.read())):
                continue  # alive, or not ours
            _discard(wrapper)
        _remove_shell(wrapper)


def _discard(wrapper: Path) -> None:
    """Empty a wrapper, once a directory that waits between two renames is back in its place."""
    new, old = wrapper / "new", wrapper / "old"
    if new.exists():  # or the second rename was done
        for aside in old.glob("*"):
            try:
                aside.rename(wrapper.parent / aside.name)
            except OSError as error:
                if error.errno not in _OCCUPIED:  # by what another writer put there
                    return
    # In this order, or a half-removed old directory could be put back.
    shutil.rmtree(new, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)


def _remove_shell(wrapper: Path) -> None:
    """Remove an emptied wrapper; git must not see what could not be removed from another."""
    with suppress(OSError):
        if all(left.name == IGNORE for left in wrapper.iterdir()):
            (wrapper / IGNORE).unlink(missing_ok=True)
            wrapper.rmdir()


def _remove_empty(directories: list[Path]) -> None:
    for directory in directories:
        with suppress(OSError):
            directory.rmdir()
