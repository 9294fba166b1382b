"""Which git there is, and which git-lfs."""

from __future__ import annotations

import re

from kvcs.repo.program import GitProgram

OLDEST_GIT = (2, 31)


def git(program: GitProgram) -> tuple[int, ...]:
    """Return the version of git."""
    return _numbers(program.check("version").text)


def git_lfs(program: GitProgram) -> tuple[int, ...] | None:
    """Return the version of git-lfs, None where it is not installed."""
    done = program.run("lfs", "version")
    return _numbers(done.text) if done.status == 0 else None


def _numbers(text: str) -> tuple[int, ...]:
    found = re.search(r"[0-9]+(\.[0-9]+)+", text)
    return tuple(int(number) for number in found[0].split(".")) if found else ()
