"""One comment for each change: found again by a marker nobody sees, and updated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

MARKER = "<!-- kvcs:review -->"

Done: TypeAlias = Literal["created", "updated", "unchanged"]


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment, by its number."""

    number: int
    body: str


class Comments(Protocol):
    """The comments of one pull request or merge request."""

    def own(self) -> Iterator[Comment]:
        """Yield the comments that the owner of the token wrote, oldest first."""

    def create(self, body: str) -> None:
        """Write another one."""

    def update(self, number: int, body: str) -> None:
        """Write one anew."""


def put(comments: Comments, body: str) -> Done:
    """Write the comment, or write it anew.

    A marker alone would not do: anybody can write one, and could then write in our name.

    Args:
        comments: of the change.
        body: begins with the marker.
    """
    for comment in comments.own():
        if _lines(comment.body)[:1] == [MARKER]:
            if _lines(comment.body) == _lines(body):
                return "unchanged"
            comments.update(comment.number, body)
            return "updated"
    comments.create(body)
    return "created"


def _lines(body: str) -> list[str]:
    """Return the lines of a text; a host may end them in its own way."""
    return body.strip().splitlines()
