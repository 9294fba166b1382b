"""What a commit of some directories contains, prepared in a private index."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple

from kvcs.errors import RepositoryError
from kvcs.repo import locks
from kvcs.repo.changes import READ_BEFORE, skipped
from kvcs.repo.commits.index_file import read_entries, remember
from kvcs.repo.object_settings import Settings
from kvcs.repo.place import pathspec
from kvcs.repo.program import WRITING, Completed, GitProgram, decode

if TYPE_CHECKING:
    from kvcs.repo.commits.blobs import Prepared, StoredFile

# Where git has to store the weights. They hardly deflate, and it would spend most of its time on
# the attempt; files above the threshold go straight into a pack, and never as a whole into memory.
_FOR_WEIGHTS = ("-c", "core.compression=0", "-c", "core.bigFileThreshold=512k")


_ABSENT = b"000000"

# Where a file can have but one name.
_NO_LINKS = (errno.EPERM, errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK)

# What stands in a lock of ours, beside the system's own lock on it, which ends with the process.
_MARK = b"kvcs commit\n"
_DRAFT = ".kvcs-"  # and the number of the process


class PrivateIndex:
    """A copy of the index to work on, while the index itself is locked against other writers.

    A refused commit leaves no trace by never having touched the index: only `publish` replaces
    it. This is git's own protocol for the index, with a second file next to the lock since git
    takes no empty file for an index. The lock of a killed commit is taken over by the next one.
    """

    def __init__(self, index: Path) -> None:
        self.path = Path(f"{index}.kvcs")
        self._index = index
        self._lock = Path(f"{index}.lock")
        self._locked: int | None = None

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which git works on the copy."""
        return {**WRITING, "GIT_INDEX_FILE": str(self.path)}

    def __enter__(self) -> PrivateIndex:
        """Lock the index and copy it."""
        try:
            self._locked = _take(self._lock)
        except FileExistsError as error:
            raise RepositoryError(
                f"{self._lock} exists: another git is at work in this repository. "
                "Wait for it; if there is none, one has crashed: remove the file."
            ) from error
        except OSError as error:
            raise RepositoryError(f"The index cannot be locked: {error}") from error
        try:
            self._begin()
        except OSError as error:
            self._clean_up()
            raise RepositoryError(f"The index cannot be copied: {error}") from error
        return self

    @contextlib.contextmanager
    def without(self, git: GitProgram, others: Sequence[Change]) -> Iterator[dict[str, str]]:
        """Yield an environment in which git sees this index, but for changes of others.

        They stay staged in the index itself, for a later commit.
        """
        if not others:
            yield self.environment
            return
        reduced = Path(f"{self.path}.head")
        environment = {**self.environment, "GIT_INDEX_FILE": str(reduced)}
        try:
            shutil.copy2(self.path, reduced)
            removed_first = sorted(others, key=lambda change: change.mode != _ABSENT)
            lines = [b"%s %s\t%s\0" % change for change in removed_first]
            command = ("update-index", "-z", "--index-info")
            git.check(*command, stdin=b"".join(lines), environment=environment)
            yield environment
        finally:
            _remove_index(reduced)

    @contextlib.contextmanager
    def told(self, checksums: Mapping[str, str]) -> Iterator[dict[str, str]]:
        """Yield an environment in which kvcs's hook finds the SHA-256 of objects, by their names.

        It would read them all again. In a file, since an environment has not room for many.
        """
        place = Path(f"{self.path}.read")
        try:
            place.write_text("".join(f"{name} {sha}\n" for name, sha in checksums.items()), "ascii")
            yield {READ_BEFORE: str(place)}
        finally:
            place.unlink(missing_ok=True)

    def publish(self) -> None:
        """Make the copy the index."""
        if self.path.exists():
            self.path.replace(self._index)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Throw the copy away, unless it was published, and unlock the index."""
        self._clean_up()

    def _begin(self) -> None:
        _remove_index(self.path)  # of a killed commit
        _remove_index(Path(f"{self.path}.head"))
        Path(f"{self.path}.read").unlink(missing_ok=True)
        _remove_drafts(self._lock)
        # With its times: git distrusts entries that are not older than their index.
        with contextlib.suppress(FileNotFoundError):
            shutil.copy2(self._index, self.path)

    def _clean_up(self) -> None:
        _remove_index(self.path)
        self._lock.unlink(missing_ok=True)
        if self._locked is not None:
            os.close(self._locked)


def _take(lock: Path) -> int:
    """Make a lock, or take over one whose owner was killed."""
    try:
        return _made(lock)
    except FileExistsError:
        try:
            opened = os.open(lock, os.O_RDWR)
        except FileNotFoundError:  # its owner was done just now
            return _made(lock)
        with contextlib.suppress(OSError):
            if os.read(opened, len(_MARK) + 1) == _MARK and _is_free(opened, lock):
                return opened
        os.close(opened)
        raise


def _made(lock: Path) -> int:
    """Make a lock that has its mark from the first moment, or a kill could leave it without one."""
    draft = lock.with_name(f"{lock.name}{_DRAFT}{os.getpid()}")
    draft.unlink(missing_ok=True)  # of a process that had this number
    opened = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        os.write(opened, _MARK)
        _is_free(opened, draft)
        os.link(draft, lock)
    except OSError as error:
        os.close(opened)
        if isinstance(error, FileNotFoundError):  # removed by who has the lock, as below
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(lock)) from error
        if error.errno not in _NO_LINKS:
            raise
        opened = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        os.write(opened, _MARK)
        _is_free(opened, lock)
    finally:
        draft.unlink(missing_ok=True)
    return opened


def _remove_drafts(lock: Path) -> None:
    """Remove the drafts of killed commits; whoever has the lock may."""
    for draft in lock.parent.glob(f"{lock.name}{_DRAFT}*"):
        with contextlib.suppress(OSError), draft.open("rb") as file:
            # Or it became the very lock that was taken over just now.
            if _is_free(file.fileno(), draft) or draft.samefile(lock):
                draft.unlink()


def _is_free(opened: int, lock: Path) -> bool:
    """Lock the lock itself; False where somebody else has it, or the system has no such thing."""
    return locks.lock(opened) and os.path.samestat(os.fstat(opened), lock.stat())


def _remove_index(index: Path) -> None:
    index.unlink(missing_ok=True)
    Path(f"{index}.lock").unlink(missing_ok=True)


class Change(NamedTuple):
    """A path in which the index differs from HEAD: mode and name of the blob in HEAD, the path."""

    mode: bytes
    name: bytes
    path: bytes


def staged(git: GitProgram, environment: Mapping[str, str]) -> list[Change]:
    """Return all in which an index differs from HEAD, or from nothing before the first commit."""
    head = "HEAD"
    if git.run("rev-parse", "--verify", "--quiet", "HEAD").status != 0:
        head = git.check("hash-object", "-t", "tree", "--stdin").text
    options = ("--cached", "--raw", "-z", "--no-renames", "--no-abbrev", "--ignore-submodules=none")
    records = git.check("diff-index", *options, head, environment=environment).records
    found: dict[bytes, Change] = {}
    for facts, path in zip(records[::2], records[1::2], strict=True):
        mode, _, name, _, _ = facts.removeprefix(b":").split()
        found.setdefault(path, Change(mode, name, path))  # an unmerged path comes twice
    return list(found.values())


def refuse_unsuitable(top: Path, path: str) -> None:
    """Refuse a file, and a directory that belongs to another repository."""
    directory = top / path
    if directory.is_file():
        raise RepositoryError(f"'{path}' is a file; name the directory that holds the model.")
    while directory != top:
        if (directory / ".git").exists():
            inner = directory.relative_to(top).as_posix()
            raise RepositoryError(f"'{path}' belongs to another repository, in '{inner}'.")
        directory = directory.parent


def refuse_unmerged(git: GitProgram, paths: Sequence[str]) -> None:
    """Refuse directories with conflicts, which `git add` would take for resolved."""
    listing = ("ls-files", "-z", "--full-name", "--unmerged", "--", *map(pathspec, paths))
    unmerged = git.check(*listing).records
    if unmerged:
        name = decode(unmerged[0].split(b"\t", 1)[1])
        raise RepositoryError(
            f"'{name}' has conflicts; resolve them, `git add` the result, then commit again."
        )


def refuse_left_out(git: GitProgram, paths: Sequence[str]) -> None:
    """Refuse directories that a sparse checkout leaves out: they are not there, and not removed."""
    for path in paths:
        away, files = skipped(git, path)
        if 0 < away == files:
            raise _left_out(path)


def _left_out(path: str) -> RepositoryError:
    return RepositoryError(
        f"'{path}' is outside of the sparse checkout; "
        f"`git sparse-checkout add {path}` brings it in."
    )


def refuse_ignored(git: GitProgram, top: Path, paths: Sequence[str]) -> set[bytes]:
    """Refuse directories with files that `git add` would leave out without a word.

    Returns:
        The files that it leaves out rightly, since they are no part of any model.
    """
    listing = ("ls-files", "-z", "--full-name", "--others", "--ignored", "--exclude-standard")
    found = git.check(*listing, "--", *map(pathspec, paths)).records
    ignored = next((path for path in map(decode, found) if not _litter(path)), None)
    if ignored is None:
        return set(found)
    question = os.fsencode(top / ignored) + b"\0"
    answer = git.check("check-ignore", "--verbose", "-z", "--stdin", stdin=question)
    source, line, pattern, _ = map(decode, answer.records)
    raise RepositoryError(
        f"git would leave out '{ignored}': it is ignored by the rule '{pattern}' in {source}, "
        f"line {line}. Change that rule, then commit again."
    )


def stage(
    git: GitProgram,
    settings: Settings,
    top: Path,
    paths: Sequence[str],
    index: PrivateIndex,
    prepared: Prepared | None,
) -> None:
    """Bring the index up to the working tree below the paths, and only there.

    What is prepared is entered as it is, and then `git add` has the last word: it looks at
    everything, and finds most of it done.
    """
    options = _FOR_WEIGHTS if prepared is None else ()
    if prepared and prepared.files:
        _enter(git, settings, index, prepared.files)
    addable = _addable(git, top, paths)
    if addable:
        add = ("add", "--all", "--", *map(pathspec, addable))
        done = git.run(*options, *add, environment=index.environment)
        if done.status != 0:
            raise _refusal(done, addable)


def _refusal(done: Completed, paths: Sequence[str]) -> RepositoryError:
    # git names the pathspecs that it refused, a line each, although their files are there.
    lines = done.errors.splitlines()
    if "outside" in done.errors and "sparse" in done.errors:
        path = next((path for path in paths if pathspec(path) in lines), paths[0])
        return _left_out(path)
    return RepositoryError(f"git add failed: {done.reason}")


def _enter(
    git: GitProgram, settings: Settings, index: PrivateIndex, files: Mapping[bytes, StoredFile]
) -> None:
    """Enter blobs into the index, with the status of their files, so that git reads none again."""
    lines = [
        b"%o %s\t%s\0" % (mode, blob.name.encode(), path) for path, (mode, blob) in files.items()
    ]
    command = ("update-index", "-z", "--index-info")
    git.check(*command, stdin=b"".join(lines), environment=index.environment)
    data = index.path.read_bytes()
    entries = read_entries(data, settings.name_size, [*files]) or {}
    statuses = {
        entry.position: (entry.mode, files[path][1].status)
        for path, entry in entries.items()
        if path in files
    }
    index.path.write_bytes(remember(data, settings.algorithm, statuses))


def _addable(git: GitProgram, top: Path, paths: Sequence[str]) -> list[str]:
    """Return where `git add` finds anything; it does not where a removal is staged already."""
    listing = ("ls-files", "-z", "--full-name", "--cached", "--others", "--exclude-standard")
    found = sorted(git.check(*listing, "--", *map(pathspec, paths)).records)
    addable = []
    for path in paths:
        below = os.fsencode(path) + b"/" if path else b""
        at = bisect_left(found, below)
        if at < len(found) and found[at].startswith(below):
            addable.append(path)
        else:
            _refuse_nothing(git, top, path)
    return addable


def _refuse_nothing(git: GitProgram, top: Path, path: str) -> None:
    """Refuse a directory that neither is there nor was."""
    where = ("--end-of-options", "HEAD", path)
    if git.run("--literal-pathspecs", "ls-tree", "-z", "--full-tree", *where).output:
        return
    if (top / path).exists():
        raise RepositoryError(f"'{path or '.'}' holds no files; there is nothing to commit.")
    raise RepositoryError(f"'{path}' does not exist, and git does not track it.")


def _litter(path: str) -> bool:
    """Tell whether a path is what desktops and editors leave, like `.DS_Store`."""
    return any(part.startswith(".") and not part.startswith(".git") for part in path.split("/"))
