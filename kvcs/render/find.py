"""Where a model is, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from kvcs.render.text import plain
from kvcs.render.words import path

if TYPE_CHECKING:
    from kvcs.commands.find import Commit, Found, Place

_REFS = {"refs/heads/": "", "refs/tags/": "tag ", "refs/remotes/": ""}


def found(what: Found) -> RenderableType:
    """Lay out `kvcs find`."""
    name = plain(what.name)
    if what:
        head = Text(f"FOUND: {name} is in git, equal in architecture and weights", "bold green")
    elif what.places:
        head = Text(
            f"NOT FOUND: {name} is in no commit; the nearest, by the weights they share with it",
            "bold yellow",
        )
    else:
        head = Text(f"NOT FOUND: no commit has a model that shares weights with {name}", "bold red")
    return Group(head, *[line for place in what.places for line in _lines(place)])


def _lines(place: Place) -> Iterator[Text]:
    share = "" if place.exact else f"{_percent(place.share)} "
    yield Text(f"  {share}{path(place.path) if place.path else '.'}")
    for commit in place.since:
        yield Text(f"    since {_commit(commit)}")
    for commit in place.until:
        yield Text(f"    until {_commit(commit)}")
    if place.refs:
        yield Text(f"    now in {', '.join(map(_ref, place.refs))}")


def _percent(share: float) -> str:
    """Return a share without rounding up to all of it."""
    return f"{min(int(share * 1000) / 10, 99.9):.1f} %"


def _commit(commit: Commit) -> str:
    return f"{commit.abbrev} {commit.date[:10]} {plain(commit.subject)}"


def _ref(name: str) -> str:
    for start, word in _REFS.items():
        if name.startswith(start):
            return word + plain(name.removeprefix(start))
    return plain(name)
