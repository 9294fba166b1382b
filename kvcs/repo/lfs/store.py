"""The objects of Git LFS on this machine: where they are, read, fetched and added."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

from kvcs.errors import AbsentError, RepositoryError
from kvcs.pointer import Pointer
from kvcs.repo.lfs.fetching import fetch
from kvcs.repo.place import find_place
from kvcs.repo.program import GitProgram
from kvcs.tree.partial import Objects, Progress, silent

# What is copied at once: larger than any cache wants, smaller than anyone notices.
_PIECE = 1 << 20


class LfsStore:
    """The store that a repository, its worktrees included, shares with git-lfs."""

    def __init__(self, git: GitProgram) -> None:
        self._git = git
        self._lost: dict[Pointer, AbsentError] = {}

    @cached_property
    def directory(self) -> Path:
        """Where git-lfs keeps what it keeps: `lfs` in the git directory, or `lfs.storage`."""
        common = self._git.check("rev-parse", "--path-format=absolute", "--git-common-dir").text
        configured = self._git.run("config", "--type=path", "--get", "lfs.storage").text
        return Path(common, configured or "lfs")

    def path(self, oid: str) -> Path:
        """Return where an object is, or would be."""
        return self.directory / "objects" / oid[:2] / oid[2:4] / oid

    def holds(self, pointer: Pointer) -> bool:
        """Tell whether an object is on this machine, by its size, as git-lfs does."""
        try:
            return self.path(pointer.oid).stat().st_size == pointer.size
        except OSError:
            return False

    def read(self, pointer: Pointer) -> bytes:
        """Return an object, fetched if need be.

        Raises:
            AbsentError: it is not here, and cannot be fetched.
        """
        if not self.holds(pointer):
            if pointer in self._lost:  # asked for once, which can take until a network gives up
                raise self._lost[pointer]
            self.fetch([pointer])
        path = self.path(pointer.oid)
        try:
            return path.read_bytes()
        except OSError as error:
            raise RepositoryError(f"could not read {path}: {error.strerror}") from error

    def fetch(self, pointers: Iterable[Pointer], progress: Progress = silent) -> None:
        """Let git-lfs fetch what is not here, in one go.

        Raises:
            AbsentError: an object cannot be had; the others are here then.
        """
        wanted = [pointer for pointer in dict.fromkeys(pointers) if not self.holds(pointer)]
        if not wanted:
            return
        reason = fetch(self._git, wanted, self.holds, progress)
        lost = [pointer for pointer in wanted if not self.holds(pointer)]
        if lost:
            error = AbsentError(
                f"git-lfs could not fetch {len(lost)} of {len(wanted)} objects: {reason}. "
                "Check the connection and `git lfs env`, then try again; `git lfs fetch --all` "
                "brings every version at once."
            )
            self._lost |= dict.fromkeys(lost, error)
            raise error

    def add(self, source: BinaryIO, oid: str | None = None) -> Pointer:
        """Copy a file into the store, and return the pointer that stands for it.

        The object is there as a whole or not at all, whatever happens. It is a copy, never a
        link: a program that writes into the file later must not change the object.

        Args:
            source: the file; it is read once.
            oid: what its SHA-256 should be. If there is such an object, nothing is copied; if it
                is another one, nothing is kept.

        Raises:
            RepositoryError: the store cannot be written.
        """
        try:
            if oid and self.holds(Pointer(oid, os.fstat(source.fileno()).st_size)):
                return _copy(source, None)
            with self._new() as (place, target):
                pointer = _copy(source, target)
                if oid in (None, pointer.oid) and not self.holds(pointer):
                    self._keep(place, target, pointer)
        except OSError as error:
            raise RepositoryError(
                f"could not write to the Git LFS store in {self.directory}: {error.strerror}"
            ) from error
        return pointer

    def temporary(self) -> Path:
        """Return where git-lfs has temporary files, and clears away what killed processes leave."""
        directory = self.directory / "tmp"
        directory.mkdir(parents=True, exist_ok=True)
        return directory

    @contextlib.contextmanager
    def _new(self) -> Iterator[tuple[Path, BinaryIO]]:
        descriptor, name = tempfile.mkstemp(dir=self.temporary())
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield Path(name), file
        finally:
            Path(name).unlink(missing_ok=True)

    def _keep(self, place: Path, file: BinaryIO, pointer: Pointer) -> None:
        file.flush()
        os.fchmod(file.fileno(), self._mode)
        os.fsync(file.fileno())
        path = self.path(pointer.oid)
        path.parent.mkdir(parents=True, exist_ok=True)
        place.replace(path)

    @cached_property
    def _mode(self) -> int:
        """Permissions of a new object: those of any new file, and more where git shares more."""
        umask = os.umask(0o077)
        os.umask(umask)
        done = self._git.run("config", "--get", "core.sharedRepository")
        shared = {"group": 0o060, "true": 0o060, "1": 0o060}
        everybody = dict.fromkeys(("all", "world", "everybody", "2"), 0o064)
        return (0o666 & ~umask) | {**shared, **everybody}.get(done.text, 0)


def _copy(source: BinaryIO, target: BinaryIO | None) -> Pointer:
    state = hashlib.sha256()
    size = 0
    piece = memoryview(bytearray(_PIECE))
    while count := source.readinto(piece):  # type: ignore[attr-defined]
        state.update(piece[:count])
        if target is not None:
            target.write(piece[:count])
        size += count
    return Pointer(state.hexdigest(), size)


class Nowhere:
    """Stands for the objects of a directory that is in no repository."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def holds(self, pointer: Pointer) -> bool:
        """Tell that an object is not here."""
        return False

    def read(self, pointer: Pointer) -> bytes:
        """Refuse to read."""
        raise self._refusal()

    def fetch(self, pointers: Iterable[Pointer], progress: Progress) -> None:
        """Refuse to fetch."""
        raise self._refusal()

    def _refusal(self) -> AbsentError:
        return AbsentError(
            f"{self._directory} holds Git LFS pointers in the place of tensors, and no git "
            "repository is around it to fetch them: use the clone that it was copied from."
        )


def objects_around(directory: Path) -> Objects:
    """Return the LFS objects of the repository that a directory is in."""
    # A relative GIT_DIR, as hooks have it, is seen from the current directory.
    git = GitProgram((Path() if "GIT_DIR" in os.environ else directory).absolute())
    try:
        find_place(git)
    except RepositoryError:
        return Nowhere(directory)
    return LfsStore(git)
