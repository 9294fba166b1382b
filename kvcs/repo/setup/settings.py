"""git's own settings, read and written one by one, and a record of what kvcs wrote."""

from __future__ import annotations

from typing import Literal, TypeAlias

from kvcs.repo.program import WRITING, GitProgram, decode

Scope: TypeAlias = Literal["global", "local"]

# In the repository's own settings: `global:diff.kvcs.command` and the like, one value each.
_RECORD = "kvcs.added"


def get(git: GitProgram, key: str, scope: Scope | None = None) -> str | None:
    """Return the value that holds, or that of one scope; None where there is none."""
    where = [f"--{scope}"] if scope else []
    done = git.run("config", *where, "-z", "--get", key)
    return decode(done.output.removesuffix(b"\0")) if done.status == 0 else None


def get_size(git: GitProgram, key: str, default: int) -> int:
    """Return a size in bytes, such as `50m`.

    Raises:
        RepositoryError: if it is none.
    """
    if get(git, key) is None:
        return default
    return int(git.check("config", "--type=int", "--get", key).text)


def put(git: GitProgram, key: str, value: str, scope: Scope) -> None:
    """Write a setting, and note that kvcs did.

    Raises:
        RepositoryError: if git cannot write its settings.
    """
    # The note first: a setting without one, after a crash between the two, would stay for ever.
    if (scope, key) not in recorded(git):
        git.check("config", "--local", "--add", _RECORD, f"{scope}:{key}", environment=WRITING)
    git.check("config", f"--{scope}", key, value, environment=WRITING)


def recorded(git: GitProgram) -> list[tuple[Scope, str]]:
    """Return scope and key of each setting that kvcs wrote for this repository."""
    found: list[tuple[Scope, str]] = []
    for record in git.run("config", "--local", "-z", "--get-all", _RECORD).records:
        scope, _, key = decode(record).partition(":")
        if scope == "global":
            found.append(("global", key))
        elif scope == "local":
            found.append(("local", key))
    return found


def take_back(git: GitProgram, key: str, scope: Scope) -> None:
    """Remove a setting that kvcs wrote.

    Raises:
        RepositoryError: if git cannot write its settings.
    """
    git.check("config", f"--{scope}", "--unset", key, environment=WRITING)


def forget(git: GitProgram) -> None:
    """Remove the record itself.

    Raises:
        RepositoryError: if git cannot write its settings.
    """
    if recorded(git):
        git.check("config", "--local", "--unset-all", _RECORD, environment=WRITING)
