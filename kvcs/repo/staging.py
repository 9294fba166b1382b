"""What a commit of some directories contains, prepared in a private index."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from kvcs.errors import RepositoryError
from kvcs.repo.place import pathspec
from kvcs.repo.program import WRITING, GitProgram, decode

# Weights hardly deflate, and git would spend most of its time on the attempt; files above the
# threshold go straight into a pack, and never as a whole into memory.
_FOR_WEIGHTS = ("-c", "core.compression=0", "-c", "core.bigFileThreshold=512k")


class PrivateIndex:
    """A copy of the index to work on, while the index itself is locked against other writers.

    A refused commit leaves no trace by never having touched the index: only `publish` replaces
    it. This is git's own protocol for the index, with a second file next to the lock since git
    takes no empty file for an index.
    """

    def __init__(self, git: GitProgram) -> None:
        self._index = index_path(git)
        self._lock = Path(f"{self._index}.lock")
        self._copy = Path(f"{self._index}.kvcs")

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which git works on the copy."""
        return {**WRITING, "GIT_INDEX_FILE": str(self._copy)}

    def __enter__(self) -> PrivateIndex:
        """Lock the index and copy it."""
        try:
            self._lock.touch(exist_ok=False)
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

    def publish(self) -> None:
        """Make the copy the index."""
        self._copy.replace(self._index)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Throw the copy away, unless it was published, and unlock the index."""
        self._clean_up()

    def _begin(self) -> None:
        self._copy.unlink(missing_ok=True)
        # With its times: git distrusts entries that are not older than their index.
        with contextlib.suppress(FileNotFoundError):
            shutil.copy2(self._index, self._copy)

    def _clean_up(self) -> None:
        self._copy.unlink(missing_ok=True)
        Path(f"{self._copy}.lock").unlink(missing_ok=True)
        self._lock.unlink(missing_ok=True)


def index_path(git: GitProgram) -> Path:
    """Return where the index is: each worktree has its own, and `GIT_INDEX_FILE` may name one."""
    done = git.check("rev-parse", "--path-format=absolute", "--git-path", "index")
    return Path(done.text)


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


def refuse_ignored(git: GitProgram, top: Path, paths: Sequence[str]) -> None:
    """Refuse directories with files that `git add` would leave out without a word."""
    listing = ("ls-files", "-z", "--full-name", "--others", "--ignored", "--exclude-standard")
    done = git.check(*listing, "--", *map(pathspec, paths))
    ignored = next((path for path in map(decode, done.records) if not _litter(path)), None)
    if ignored is None:
        return
    question = os.fsencode(top / ignored) + b"\0"
    answer = git.check("check-ignore", "--verbose", "-z", "--stdin", stdin=question)
    source, line, pattern, _ = map(decode, answer.records)
    raise RepositoryError(
        f"git would leave out '{ignored}': it is ignored by the rule '{pattern}' in {source}, "
        f"line {line}. Change that rule, then commit again."
    )


def stage(git: GitProgram, top: Path, paths: Sequence[str], environment: dict[str, str]) -> None:
    """Bring the index up to the working tree below the paths, and only there."""
    addable = [path for path in paths if _addable(git, top, path)]
    if addable:
        git.check(
            *_FOR_WEIGHTS, "add", "--all", "--", *map(pathspec, addable), environment=environment
        )


def differs(git: GitProgram, paths: Sequence[str], environment: dict[str, str]) -> bool:
    """Tell whether the index differs from HEAD below the paths."""
    options = ("--cached", "--quiet", "--no-ext-diff", "--no-textconv")
    done = git.run("diff", *options, "--", *map(pathspec, paths), environment=environment)
    return done.status != 0


def _addable(git: GitProgram, top: Path, path: str) -> bool:
    """Tell whether `git add` finds anything; not so where a removal is staged already."""
    listing = ("ls-files", "-z", "--cached", "--others", "--exclude-standard")
    if git.check(*listing, "--", pathspec(path)).output:
        return True
    where = ("--end-of-options", "HEAD", path)
    if git.run("--literal-pathspecs", "ls-tree", "-z", "--full-tree", *where).output:
        return False
    if (top / path).exists():
        raise RepositoryError(f"'{path or '.'}' holds no files; there is nothing to commit.")
    raise RepositoryError(f"'{path}' does not exist, and git does not track it.")


def _litter(path: str) -> bool:
    """Tell whether a path is what desktops and editors leave, like `.DS_Store`."""
    return any(part.startswith(".") and not part.startswith(".git") for part in path.split("/"))
