"""The git program, run through GitPython."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE
from types import MappingProxyType
from typing import TYPE_CHECKING

from kvcs.errors import RepositoryError

if TYPE_CHECKING:
    from git.cmd import Git

# What the user set stays as it is; these only keep git predictable. LC_ALL is for the
# messages that kvcs has to recognise.
WRITING: Mapping[str, str] = MappingProxyType(
    {"LC_ALL": "C", "LANGUAGE": "C", "GIT_TERMINAL_PROMPT": "0"}
)

# Without optional locks git does not even refresh the index while it reads.
READING: Mapping[str, str] = MappingProxyType({**WRITING, "GIT_OPTIONAL_LOCKS": "0"})


# Whoever waits for a download can be asked for a password, as by git itself.
FETCHING: Mapping[str, str] = MappingProxyType(
    {name: value for name, value in WRITING.items() if name != "GIT_TERMINAL_PROMPT"}
)


@dataclass(frozen=True)
class Completed:
    """What a finished git command left behind."""

    status: int
    output: bytes
    errors: str

    @property
    def text(self) -> str:
        """The output without the newline at its end."""
        return decode(self.output).removesuffix("\n")

    @property
    def records(self) -> list[bytes]:
        """The output of a command with `-z`, one record each."""
        return self.output.split(b"\0")[:-1]

    @property
    def reason(self) -> str:
        """The one sentence of git's complaints that says most."""
        said = [line.strip() for line in self.errors.splitlines() if line.strip()]
        lines = [line for line in said if not line.startswith("hint: ")]
        for line in lines:
            for mark in ("error: ", "fatal: "):
                if line.startswith(mark):
                    return line.removeprefix(mark)
        return lines[-1] if lines else f"it ended with status {self.status}"


class GitProgram:
    """git, as if called from one directory; so relative `GIT_*` variables mean what they say.

    Args:
        start: the directory.
        genuine: take no object for another one, as `git replace` has it.
    """

    def __init__(self, start: Path, *, genuine: bool = False) -> None:
        self.start = start
        self._git = _find_git(start)
        self._always = {"GIT_NO_REPLACE_OBJECTS": "1"} if genuine else {}

    def run(
        self, *arguments: str, stdin: bytes = b"", environment: Mapping[str, str] = READING
    ) -> Completed:
        """Run one git command to its end; a failure is a status, not an exception."""
        process = self.begin(*arguments, environment=environment)
        output, errors = process.communicate(stdin)
        return Completed(process.returncode, output, errors.decode("utf-8", "replace"))

    def check(
        self, *arguments: str, stdin: bytes = b"", environment: Mapping[str, str] = READING
    ) -> Completed:
        """Run one git command that has no reason to fail.

        Raises:
            RepositoryError: if it fails all the same, with git's own reason.
        """
        done = self.run(*arguments, stdin=stdin, environment=environment)
        if done.status != 0:
            # What has a `=` is the value of a `-c`.
            words = (word for word in arguments if "=" not in word)
            command = next(word for word in words if not word.startswith("-"))
            raise RepositoryError(f"git {command} failed: {done.reason}")
        return done

    def begin(self, *arguments: str, environment: Mapping[str, str] = READING) -> Git.AutoInterrupt:
        """Start a git command and return the process, with all three streams open."""
        from git.exc import GitCommandNotFound

        if not (self.start.is_dir() and os.access(self.start, os.X_OK)):
            # GitPython would use the current directory instead, and so another repository.
            raise RepositoryError(f"{self.start} is no directory that git can work in.")
        try:
            return self._git.execute(
                [self._git.GIT_PYTHON_GIT_EXECUTABLE or "git", *arguments],
                istream=PIPE,
                as_process=True,
                env={**environment, **self._always},
            )
        except GitCommandNotFound as error:
            raise _no_git() from error


def decode(name: bytes) -> str:
    """Return a path or a ref name as text that encodes back to the same bytes."""
    return name.decode("utf-8", "surrogateescape")


def _find_git(start: Path) -> Git:
    # GitPython looks for the git program when it is imported, and takes 0.2 s to do it.
    try:
        from git.cmd import Git
    except ModuleNotFoundError:
        raise
    except ImportError as error:
        raise _no_git() from error
    # As a Path, because GitPython expands `~` and `$NAME` in strings.
    return Git(start)


def _no_git() -> RepositoryError:
    return RepositoryError("There is no git program on PATH; install git 2.31 or newer.")
