"""The wrapper in which a directory is staged, and its exchange with the one in place."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from kvcs.errors import SaveError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

WRAPPER = ".kvcs-"
IGNORE = ".gitignore"
IGNORE_ALL = b"# A save by kvcs under way; what a killed one leaves, the next one removes.\n*\n"

_FAR = 1 << 20
_OCCUPIED = (errno.ENOTEMPTY, errno.EEXIST)
_PINNED = (errno.EXDEV, errno.EBUSY)
_NO_EXCHANGE = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP)


@contextmanager
def make_wrapper(parent: Path) -> Iterator[Path]:
    """Make a wrapper, and its parents where they are missing; remove it afterwards."""
    missing = [place for place in (parent, *parent.parents) if not place.exists()]
    with ExitStack() as stack:
        stack.callback(_remove_empty, missing)
        with writing(parent):  # not the model itself: there the user would look in vain
            parent.mkdir(parents=True, exist_ok=True)
            with turn(parent):  # or others would sweep the wrapper before it is locked
                _sweep(parent)
                wrapper = Path(tempfile.mkdtemp(prefix=WRAPPER, dir=parent))
                stack.callback(_remove_shell, wrapper)
                lock = stack.enter_context((wrapper / IGNORE).open("xb", buffering=0))
                lock.write(IGNORE_ALL)
                _lock(lock.fileno())
        stack.callback(_discard, wrapper)
        yield wrapper


def moved(new: Path, target: Path) -> bool:
    """Rename to a place where nothing stands, or at most an empty directory."""
    try:
        new.rename(target)
    except OSError as error:
        if error.errno in _OCCUPIED:
            return False
        raise
    return True


def exchange(one: Path, other: Path) -> bool:
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
def turn(directory: Path) -> Iterator[bool]:
    """Wait until no other writer has the directory; False where there is none, or no locks."""
    held = False
    with ExitStack() as opened:
        with suppress(OSError):
            while not held:
                fd = open_directory(directory)
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
            os.lseek(fd, _FAR, os.SEEK_SET)  # a byte past the end, so that git can read it
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(fd, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def heal(target: Path) -> None:
    """Where a directory is missing because a writer died between two renames, put it back."""
    if not target.exists():
        clear(target.parent)


def clear(parent: Path) -> None:
    """Remove what killed writers left: a wrapper can hold as much as a model."""
    if any(_wrappers(parent)):
        with turn(parent):
            _sweep(parent)


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


def real(place: Path) -> Path:
    """Follow all links, also where nothing stands."""
    return Path(os.path.realpath(place))  # `Path.resolve` raises for a link to itself


def open_directory(place: Path) -> int:
    """Open a directory to keep or lock it."""
    return os.open(place, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """Turn what the system says into an error about the place."""
    try:
        yield
    except OSError as error:
        sentence = f"could not write {place}: {error.strerror or error}; {place} is unchanged"
        if error.errno in _PINNED:
            sentence += ". A mount point, or part of a container image? Then move it away first"
        raise SaveError(sentence) from error
