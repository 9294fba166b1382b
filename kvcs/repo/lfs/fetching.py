"""git-lfs fetches objects: the ones that are asked for, and all of them together.

`git lfs fetch` takes revisions and patterns of paths. Its filter process takes pointers, wherever
they come from: asked to delay its answers, it collects all of them, and then fetches them in one
request (of up to a hundred objects, as git-lfs divides them). The protocol is the one in which git
talks to filters, described in gitattributes(5).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from threading import Thread
from typing import TYPE_CHECKING

from kvcs.errors import AbsentError
from kvcs.pointer import Pointer
from kvcs.repo.program import FETCHING, GitProgram
from kvcs.tree.partial import Progress

if TYPE_CHECKING:
    from git.cmd import Git

# Objects are called by their id instead of by a path, which the user may have excluded from being
# fetched at every checkout; that is no reason not to load a model.
_FILTER = (
    *("-c", "lfs.fetchinclude=", "-c", "lfs.fetchexclude="),
    *("lfs", "filter-process"),
)
_ENVIRONMENT = {**FETCHING, "GIT_LFS_SKIP_SMUDGE": "0"}

_FLUSH = b"0000"
_COMPLAINT = "Error downloading object: "


def fetch(
    git: GitProgram,
    pointers: Sequence[Pointer],
    holds: Callable[[Pointer], bool],
    progress: Progress,
) -> str:
    """Let git-lfs fetch objects; return what it complained about, if some did not arrive.

    Raises:
        AbsentError: there is no git-lfs.
    """
    session = _Session(git)
    try:
        session.begin()
        _await(session, _delayed(session, pointers, holds), progress)
        lost = next((pointer for pointer in pointers if not holds(pointer)), None)
        if lost is not None:
            # Why an object did not arrive is said only to one who waits for it.
            session.ask(lost, delay=False)
    except (OSError, EOFError):
        pass  # it gave up, and its complaints tell why
    except BaseException:
        session.process.terminate()
        raise
    finally:
        complaints = session.end()
    return _reason(complaints)


def _delayed(
    session: _Session, pointers: Sequence[Pointer], holds: Callable[[Pointer], bool]
) -> list[Pointer]:
    """Ask for all objects; return those that will come later."""
    found = []
    for pointer in pointers:
        later = session.ask(pointer, delay=True)
        if not later and not holds(pointer):
            # One of another size was in the way, such as half of it; now it is gone.
            later = session.ask(pointer, delay=True)
        found += [pointer] * later
    return found


def _await(session: _Session, pointers: Sequence[Pointer], progress: Progress) -> None:
    left = {pointer.oid: pointer.size for pointer in pointers}
    total = sum(left.values())
    progress(0, total)
    # The last answer names all that was asked for, arrived or not.
    while left and (arrived := left.keys() & set(session.arrived())):
        for oid in arrived:
            del left[oid]
        progress(total - sum(left.values()), total)


class _Session:
    """A conversation with git-lfs, in lists of lines that end with a flush."""

    def __init__(self, git: GitProgram) -> None:
        self.process: Git.AutoInterrupt = git.begin(*_FILTER, environment=_ENVIRONMENT)
        self._complaints: list[bytes] = []
        # Read all the time: a full pipe would stop it.
        self._listener = Thread(target=self._listen, daemon=True)
        self._listener.start()

    def begin(self) -> None:
        """Agree on the protocol."""
        self._send("git-filter-client", "version=2")
        self._receive()
        # It wants to be asked for all that it can do.
        self._send("capability=clean", "capability=smudge", "capability=delay")
        self._receive()

    def ask(self, pointer: Pointer, *, delay: bool) -> bool:
        """Ask for an object, and tell whether it will come later.

        Without delay, what is not here is fetched at once, on its own.
        """
        later = ["can-delay=1"] if delay else []
        self._send("command=smudge", f"pathname={pointer.oid}", *later)
        self._write(_packet(bytes(pointer)) + _FLUSH)
        if "status=success" not in self._receive():
            return True
        while self._packet():  # its content, which may be large
            pass
        self._receive()  # how that went
        return False

    def arrived(self) -> list[str]:
        """Wait until some of the delayed objects are here; return their ids."""
        self._send("command=list_available_blobs")
        lines = self._receive()
        self._receive()  # how that went
        return [line.removeprefix("pathname=") for line in lines]

    def end(self) -> str:
        """End the conversation; return all that was said on stderr."""
        from git.exc import GitCommandError

        with contextlib.suppress(OSError):
            self.process.stdin.close()
        self._listener.join()
        with contextlib.suppress(OSError):
            self.process.stdout.close()
        with contextlib.suppress(GitCommandError):
            self.process.wait()
        return b"".join(self._complaints).decode("utf-8", "replace")

    def _listen(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._complaints += self.process.stderr

    def _send(self, *lines: str) -> None:
        self._write(b"".join(_packet(f"{line}\n".encode()) for line in lines) + _FLUSH)

    def _write(self, packets: bytes) -> None:
        self.process.stdin.write(packets)
        self.process.stdin.flush()

    def _receive(self) -> list[str]:
        lines = []
        while content := self._packet():
            lines.append(content.decode("utf-8", "replace").removesuffix("\n"))
        return lines

    def _packet(self) -> bytes:
        length = self.process.stdout.read(4)
        if len(length) != 4:
            raise EOFError
        content: bytes = self.process.stdout.read(max(int(length, 16) - 4, 0))
        return content


def _packet(content: bytes) -> bytes:
    return b"%04x%b" % (len(content) + 4, content)


def _reason(complaints: str) -> str:
    if "'lfs' is not a git command" in complaints:
        raise AbsentError(
            "The tensors are Git LFS objects that are not on this machine, and there is no "
            "git-lfs to fetch them: install it (https://git-lfs.com), then try again."
        )
    if 'missing protocol: ""' in complaints:
        return "there is no remote to fetch from"
    lines = [line.strip() for line in complaints.splitlines()]
    # The one behind all that wraps it.
    named = [line.rpartition("): ")[2] for line in lines if line.startswith(_COMPLAINT)]
    reason = (named or [line for line in lines if line] or ["it gave no reason"])[0].rstrip(".")
    return "the remote does not answer" if reason == "EOF" else reason
