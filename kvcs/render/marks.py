"""How kinds of changes are marked: by a symbol and a word, never by colour alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kvcs.comparison.values import Kind


@dataclass(frozen=True, slots=True)
class Mark:
    """How a kind of change is marked.

    Attributes:
        symbol: at the beginning of a line.
        ascii: the same where only ASCII can be printed.
        word: for the legend.
        style: of the line, as rich names it.
    """

    symbol: str
    ascii: str
    word: str
    style: str


MARKS: dict[Kind, Mark] = {
    "interface": Mark("!", "!!", "interface", "bold red"),
    "added": Mark("+", "+", "added", "green"),
    "removed": Mark("-", "-", "removed", "red"),
    "replaced": Mark("≠", "!", "replaced", "magenta"),
    "moved": Mark("↕", "^", "moved", "magenta"),
    "rescoped": Mark("⇥", ">", "in another model", "magenta"),
    "renamed": Mark("✎", "@", "renamed", "cyan"),
    "inputs_reordered": Mark("⤮", "x", "inputs reordered", "magenta"),
    "config": Mark("~", "~", "setting", "yellow"),
    "shape": Mark("▭", "s", "shape", "yellow"),
    "trainable": Mark("❄", "f", "trainable", "cyan"),
    "weights": Mark("*", "*", "weights", "blue"),
    "container_added": Mark("⊞", "[", "model inside added", "green"),
    "container_removed": Mark("⊟", "]", "model inside removed", "red"),
    "connection_added": Mark("→", ">+", "connection added", "green"),
    "connection_removed": Mark("↛", ">-", "connection removed", "red"),
    "training": Mark("τ", "t", "training", "yellow"),
    "state": Mark("∙", ".", "noted", "dim"),
    "renumbered": Mark("∙", ".", "noted", "dim"),
    "note": Mark("∙", ".", "noted", "dim"),
}
OF_LAYERS: tuple[Kind, ...] = (
    "added", "removed", "container_added", "container_removed", "replaced", "moved", "rescoped",
    "renamed", "inputs_reordered", "config", "shape", "trainable", "weights",
)  # fmt: skip
# Where these are, it matters between which layers.
OF_PLACES: tuple[Kind, ...] = ("added", "removed", "replaced", "moved", "connection_added",
                               "connection_removed")  # fmt: skip
LISTED = 3  # layers; where a setting changed alike in as many, one line says so for all of them
_ASCII = {"±": "+-", "→": "->", "…": "...", "∙": ".", "┆": "|", "↛": "-/>"}


def symbols(kinds: Iterable[Kind], ascii: bool) -> str:  # noqa: A002
    """Return the symbols of some kinds."""
    marks = dict.fromkeys(MARKS[kind].ascii if ascii else MARKS[kind].symbol for kind in kinds)
    return "".join(marks)


def legend(used: Iterable[Kind], ascii: bool) -> str:  # noqa: A002
    """Explain the symbols of some kinds."""
    used = set(used)
    shown = {symbols((kind,), ascii): mark.word for kind, mark in MARKS.items() if kind in used}
    return "  ".join(f"{symbol} {word}" for symbol, word in shown.items())


def in_ascii(text: str) -> str:
    """Return text in ASCII; what has no likeness there is escaped."""
    for symbol, other in _ASCII.items():
        text = text.replace(symbol, other)
    return text.encode("ascii", "backslashreplace").decode()
