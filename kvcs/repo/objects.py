"""Contents of git objects, read at once or by one `git cat-file` process, and their sizes."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, TYPE_CHECKING

from kvcs.errors import RepositoryError
from kvcs.repo.packs.reading import StoredBlobs
from kvcs.repo.program import GitProgram

if TYPE_CHECKING:
    from git.cmd import Git

# Weights come in megabytes. A pipe of 256 KiB carries them about 1.6 times as fast as one of
# the usual 64 KiB, and a larger one no faster.
_PIPE_SIZE = 256 * 1024

# Objects asked for at once, instead of waiting for each answer before the next question. So few
# that the questions fit a pipe: git reads no further one while nobody takes its answers.
_AT_ONCE = 500


class ObjectReader:
    """Reads objects by their hash.

    Those that cannot be read at once come from a process, which starts with the first of them and
    serves them all.
    """

    def __init__(self, git: GitProgram, stored: StoredBlobs | None) -> None:
        self._git = git
        self._stored = stored
        self._process: Git.AutoInterrupt | None = None
        self._turn = threading.Lock()
        self._closed = False
        self._coming: deque[str] = deque()
        self._asked = ""

    def expect(self, object_ids: Iterable[str]) -> None:
        """Say what will be read next, in order: git prepares it while the one before is used."""
        self._coming = deque(object_ids)

    def read(self, object_id: str) -> bytes:
        """Return the contents of one object.

        Raises:
            RepositoryError: if git has no such object, or cannot read it.
        """
        found = self._at_once(object_id)
        return self._read_some([object_id])[0] if found is None else found

    def read_all(self, object_ids: Sequence[str]) -> Iterator[bytes]:
        """Yield the contents of small objects, in order, faster than `read` one by one.

        Raises:
            RepositoryError: as for `read`.
        """
        for start in range(0, len(object_ids), _AT_ONCE):
            asked = object_ids[start : start + _AT_ONCE]
            found = {object_id: self._at_once(object_id) for object_id in asked}
            others = [object_id for object_id in asked if found[object_id] is None]
            if others:
                found.update(zip(others, self._read_some(others), strict=True))
            yield from (found[object_id] or b"" for object_id in asked)

    def _at_once(self, object_id: str) -> bytes | None:
        return None if self._stored is None else self._stored.read(object_id)

    def _read_some(self, object_ids: Sequence[str]) -> list[bytes]:
        with self._turn:
            if self._closed:
                raise ValueError("the repository is closed")
            if self._process is None:
                self._process = _begin(self._git)
            try:
                found = self._answers(self._process, list(object_ids))
                self._ask_ahead(self._process, object_ids[-1])
                return found
            except BaseException:
                # Half an answer may still be under way, which the next read must not get.
                self._end()
                raise

    def _answers(self, process: Git.AutoInterrupt, object_ids: list[str]) -> list[bytes]:
        asked, self._asked = self._asked, ""
        if asked and [asked] != object_ids:  # it comes otherwise than was said
            self._coming.clear()
            _answer(process.stdout, asked)
        if [asked] != object_ids:
            _ask(process, object_ids)
        return [_answer(process.stdout, object_id) for object_id in object_ids]

    def _ask_ahead(self, process: Git.AutoInterrupt, object_id: str) -> None:
        if self._coming and self._coming[0] == object_id:
            self._coming.popleft()
            if self._coming:
                _ask(process, [self._coming[0]])
                self._asked = self._coming[0]

    def close(self) -> None:
        """End the process; nothing can be read afterwards."""
        with self._turn:
            self._closed = True
            if self._stored is not None:
                self._stored.close()
            self._end()

    def _end(self) -> None:
        process, self._process = self._process, None
        self._asked = ""
        if process is None:
            return
        from git.exc import GitCommandError

        # Closing both ends makes git leave, in the middle of an answer too.
        for stream in (process.stdin, process.stdout, process.stderr):
            with contextlib.suppress(OSError):
                stream.close()
        with contextlib.suppress(GitCommandError):
            process.wait()


def sizes(git: GitProgram, object_ids: Sequence[str]) -> list[int | None]:
    """Return the sizes of objects; None for what is not there."""
    asked = "".join(f"{object_id}\n" for object_id in object_ids).encode()
    done = git.check("cat-file", "--batch-check=%(objectsize)", stdin=asked)
    return [int(line) if line.isdigit() else None for line in done.output.splitlines()]


def _begin(git: GitProgram) -> Git.AutoInterrupt:
    process = git.begin("cat-file", "--batch")
    if sys.platform == "linux":
        import fcntl

        # Refused to a user who has too many large pipes already; the small one works too.
        with contextlib.suppress(OSError):
            fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
    return process


def _ask(process: Git.AutoInterrupt, object_ids: Sequence[str]) -> None:
    try:
        process.stdin.write("".join(f"{each}\n" for each in object_ids).encode())
        process.stdin.flush()
    except OSError as error:
        raise _unreadable(object_ids[0]) from error


def _answer(output: IO[bytes], object_id: str) -> bytes:
    # "<hash> <type> <size>", or "<hash> missing", or nothing when git gave up.
    header = output.readline().split()
    if len(header) != 3:
        raise _unreadable(object_id)
    size = int(header[2])
    # Not size + 1 for the newline behind it, since cutting that off would copy everything.
    content = output.read(size)
    if len(content) != size or output.read(1) != b"\n":
        raise _unreadable(object_id)
    return content


def _unreadable(object_id: str) -> RepositoryError:
    return RepositoryError(
        f"git cannot read its object {object_id}; `git fsck` tells what the repository has lost."
    )
