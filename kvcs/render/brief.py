"""Diffs in brief: one line a layer, one line a model, or names alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from rich.cells import cell_len
from rich.text import Text

from kvcs.comparison import Diff
from kvcs.comparison.values import Kind
from kvcs.render import words
from kvcs.render.layout import Look, padded
from kvcs.render.marks import MARKS, OF_LAYERS, in_ascii, symbols
from kvcs.render.verdict import totals, verdict

State = Literal["changed", "added", "removed", "unchanged", "not compared"]
_SYMBOLS: dict[State, str] = {
    "changed": "~", "added": "+", "removed": "-", "unchanged": "=", "not compared": "?",
}  # fmt: skip
_STYLES = {"changed": "yellow", "added": "green", "removed": "red", "not compared": "bold red"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One model in a summary of many.

    Attributes:
        name: the model.
        state: what became of it.
        words: more about it.
    """

    name: str
    state: State
    words: str


def nothing() -> Text:
    """Return an empty line, which parts two models."""
    return Text("")


def one_sided(name: str, old: str | None, new: str | None, look: Look) -> list[Text]:
    """Lay out that a model is there on one side only."""
    mark = MARKS["removed"] if new is None else MARKS["added"]
    only = f"{mark.word.upper()}: only in {words.operand(old or new or '')}"
    return look.fitted(Text(f"{mark.symbol} {words.path(name)}    {only}", mark.style))


def names(diff: Diff | None, name: str, look: Look) -> list[Text]:
    """Return the paths of the layers that differ, each once, whole, each in one line.

    Args:
        diff: the differences; None of a model that is there on one side only.
        name: the model, to stand before each path; empty for the only one.
        look: in which characters.
    """
    if diff is None:
        return [_whole(words.name(name), look)]
    paths = {change.path for change in diff.of(*OF_LAYERS)}
    start = f"{words.name(name)}  " if name else ""
    return [_whole(f"{start}{words.name(path)}", look) for path in sorted(paths)]


def _whole(line: str, look: Look) -> Text:
    return Text(in_ascii(line) if look.ascii else line)


def stat(diff: Diff, name: str, look: Look) -> list[Text]:
    """Lay out the kinds of changes of each layer, and totals; the name of the model, if given."""
    by_path: dict[str, list[Kind]] = {}
    for change in diff.of("interface"):
        by_path.setdefault(words.setting(change.at), []).append(change.kind)
    for change in diff.of(*OF_LAYERS):
        by_path.setdefault(words.path(change.path), []).append(change.kind)
    column = max((cell_len(path) for path in by_path if cell_len(path) <= 40), default=0)
    found = [Text(words.path(name), "bold")] if name else []
    for path, kinds in sorted(by_path.items()):
        marked = ", ".join(dict.fromkeys(MARKS[kind].word for kind in kinds))
        line = f" {padded(path, column)} | {symbols(kinds, look.ascii):<3} {marked}"
        found.append(Text(line, MARKS[kinds[0]].style))
    found.append(Text(totals(diff)))
    return [part for line in found for part in look.fitted(line)]


def entry(name: str, old: str | None, new: str | None, diff: Diff | None, error: str) -> Entry:
    """Say in one line what became of a model."""
    if error:
        return Entry(
            name=name, state="not compared", words=f"NOT COMPARED: {words.cut(error, 400)}"
        )
    if diff is None:
        only = words.operand(old or new or "")
        state: State = "removed" if new is None else "added"
        return Entry(name=name, state=state, words=f"{state.upper()}: only in {only}")
    size = f"params {words.parameters(diff.old.parameters, diff.new.parameters)}"
    state = "changed" if diff else "unchanged"
    return Entry(name=name, state=state, words=f"{verdict(diff)}. {size}")


def summary(entries: Iterable[Entry], look: Look) -> list[Text]:
    """Lay out the models that differ, a line each, and how many there are of each kind."""
    entries = list(entries)
    shown = [one for one in entries if one.state != "unchanged" or look.everything]
    column = max((cell_len(words.path(one.name)) for one in shown), default=0)
    found = [
        Text(
            f"{_SYMBOLS[one.state]} {padded(words.path(one.name), min(column, 40))}    {one.words}",
            _STYLES.get(one.state, ""),
        )
        for one in shown
    ]
    counts = {state: sum(one.state == state for one in entries) for state in _SYMBOLS}
    told = ", ".join(f"{many} {state}" for state, many in counts.items())
    found.append(Text(f"Models: {told}"))
    return [part for line in found for part in look.fitted(line)]
