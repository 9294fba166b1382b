"""What `kvcs doctor` finds, one thing each."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

State: TypeAlias = Literal["ok", "note", "missing"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        state: `note` is worth knowing, `missing` is to be mended.
        what: the thing.
        says: how it is.
        mend: what mends it, for copying; often a command, one on each line.
    """

    state: State
    what: str
    says: str
    mend: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)


def ok(what: str, says: str) -> Check:
    """Say that something is as it should be."""
    return Check("ok", what, says)


def note(what: str, says: str, mend: str = "") -> Check:
    """Say something that is worth knowing."""
    return Check("note", what, says, mend)


def missing(what: str, says: str, mend: str = "") -> Check:
    """Say what is to be mended."""
    return Check("missing", what, says, mend)
