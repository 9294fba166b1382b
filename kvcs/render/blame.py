"""The versions that last changed each layer, for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from kvcs.render.text import Rows, plain
from kvcs.render.words import count, cut, path, shortened

if TYPE_CHECKING:
    from kvcs.commands.blame import Blame, Origin


def blame(found: Blame) -> RenderableType:
    """Lay out `kvcs blame`: the layers, and below them the versions that are named."""
    table = _table("Layer (class)", "Place", "Config", "Weights")
    origins: dict[str, Origin] = {}
    for line in found:
        layer = f"{path(line.layer)} ({cut(line.class_name)})"
        cells = (line.place, line.config, line.weights)
        origins |= {one.commit: one for one in cells if one is not None}
        table.add_row(Text(layer), *(Text("" if one is None else _name(one)) for one in cells))
    versions = _table("Version", "Date", "Author", "Subject")
    for one in sorted(origins.values(), key=lambda one: (one.date, one.commit), reverse=True):
        texts = _name(one), one.date[:10], shortened(one.author), plain(one.subject)
        versions.add_row(*map(Text, texts))
    return Group(Rows(table), Text(""), Rows(versions), *_notes(found, list(origins.values())))


def _table(*titles: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for title in titles:
        fixed = title in ("Place", "Config", "Weights", "Version", "Date")
        table.add_column(title, overflow="fold", no_wrap=fixed)
    return table


def _name(origin: Origin) -> str:
    """Return the hash of a version; as in `git blame`, `^` says that it may be older."""
    return f"^{origin.abbrev}" if origin.boundary else origin.abbrev


def _notes(found: Blame, origins: list[Origin]) -> list[Text]:
    notes = []
    if any(one.boundary for one in origins):
        notes.append("^ or older: `git fetch --unshallow` brings what a shallow clone lacks.")
    if found.skipped:
        versions = count(len(found.skipped), "version")
        notes.append(f"{versions} could not be read, and what changed there is said of the next.")
    return [Text(note, "yellow") for note in notes]
