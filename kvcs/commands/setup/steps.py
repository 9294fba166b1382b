"""One thing that `kvcs init` does, leaves alone, or cannot do for the user."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from kvcs.errors import RepositoryError

if TYPE_CHECKING:
    from kvcs.repo import Repository

Action: TypeAlias = Literal["added", "changed", "kept", "left", "removed", "to do"]


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that is set up, or taken back.

    Attributes:
        action: what is done; `left` is a user's own setting, `to do` is for the user to do.
        what: the file, hook or setting.
        why: the rest of the line; more lines are for the user to copy.
        do: does it.
    """

    action: Action
    what: str
    why: str = ""
    do: Callable[[], None] = field(default=_nothing, repr=False, compare=False)


def top_of(repository: Repository) -> Path:
    """Return the top of the work tree.

    Raises:
        RepositoryError: there is none.
    """
    if repository.top is None:
        raise RepositoryError(
            "a bare repository has no working tree, so there is nothing to set up: go to a clone "
            "that has one"
        )
    return repository.top
