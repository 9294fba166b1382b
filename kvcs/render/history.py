"""The versions of a model for a terminal: one row each, what changed in a phrase."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from kvcs.render.markdown_text import code, row
from kvcs.render.markdown_text import table as heading
from kvcs.render.text import Rows, plain
from kvcs.render.words import count, cut, shortened

if TYPE_CHECKING:
    from kvcs.commands.log import Entry, Log, Step

# Kinds of changes, as a diff counts them, and the words for one of them.
_SIGNED = {
    "added": ("+", "layer"),
    "removed": ("-", "layer"),
    "containers_added": ("+", "model inside"),
    "containers_removed": ("-", "model inside"),
}
_COUNTED = {
    "replaced": ("layer", "replaced"),
    "moved": ("layer", "moved"),
    "rescoped": ("layer", "in another model"),
    "renamed": ("layer", "renamed"),
    "connections_added": ("connection", "added"),
    "connections_removed": ("connection", "removed"),
    "inputs_reordered": ("layer", "with inputs reordered"),
    "config": ("setting", ""),
    "trainable": ("layer", "frozen or unfrozen"),
}
APART = 4  # metrics that have a column of their own
_STYLES = {"new": "green", "removed": "red", "unknown": "red", "same": "dim"}


def log(found: Log, *, reverse: bool = False) -> RenderableType:
    """Lay out `kvcs log`."""
    names = sorted({name for entry in found for name in entry.metrics})
    apart = names if len(names) <= APART else []
    entries = found.entries[::-1] if reverse else found.entries
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for title in ("Version", "Date", "Author", "Change"):
        table.add_column(title, overflow="fold", no_wrap=title in ("Version", "Date"))
    for title in ("Params", *map(cut, apart)):
        table.add_column(Text(title), justify="right", overflow="fold", no_wrap=title == "Params")
    if names and not apart:
        table.add_column("Metrics", overflow="fold")
    table.add_column("Subject", overflow="fold")
    for entry in entries:
        numbers = [_number(entry, name) for name in apart]
        together = [metrics(entry)] if names and not apart else []
        subject = plain(entry.subject)
        table.add_row(*_start(entry), *map(Text, [*numbers, *together, subject]))
    cuts = [Text(_cut(entry), "yellow") for entry in entries if entry.cut]
    return Group(Rows(table, _narrow(entries)), *cuts)


def markdown(found: Log) -> str:
    """Return the versions as a table in Markdown."""
    names = sorted({name for entry in found for name in entry.metrics})
    titles = ["version", "date", "change", *map(code, names), "subject"]
    lines = heading(titles, right=range(3, 3 + len(names)))
    for entry in found:
        numbers = [_number(entry, name) for name in names]
        texts = (phrase(entry), *numbers, entry.subject)
        lines.append(row([code(entry.abbrev), entry.date[:10], *map(code, texts)]))
    return "".join(f"{line}\n" for line in lines)


def _narrow(entries: Sequence[Entry]) -> Table:
    """Lay out the same with two lines for each version, or more."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for entry in entries:
        abbrev, date, author, change, params = _start(entry)
        about = Text(" ").join([date, Text(f"{author}: {plain(entry.subject)}")])
        size = [Text(f"{params} params")] if params else []
        numbers = [Text(metrics(entry))] if entry.metrics else []
        table.add_row(abbrev, about)
        table.add_row("", Text(", ").join([change, *size, *numbers]))
    return table


def _start(entry: Entry) -> list[Text]:
    params = "" if entry.parameters is None else f"{entry.parameters:,}"
    style = "bold red" if entry.state == "damaged" else _STYLES.get(entry.step.kind, "")
    return [
        Text(entry.abbrev, "yellow"),
        Text(entry.date[:10]),
        Text(shortened(entry.author)),
        Text(phrase(entry), style),
        Text(params),
    ]


def _number(entry: Entry, name: str) -> str:
    return f"{entry.metrics[name]:.4g}" if name in entry.metrics else ""


def _cut(entry: Entry) -> str:
    return (
        f"A shallow clone holds nothing before {entry.abbrev}; "
        "`git fetch --unshallow` brings the rest."
    )


def metrics(entry: Entry) -> str:
    """Return the metrics of a version in one line."""
    return ", ".join(f"{cut(name)} {value:.4g}" for name, value in entry.metrics.items())


def phrase(entry: Entry) -> str:
    """Say in a phrase what changed in a version."""
    start = f"was {plain(entry.step.renamed_from) or '.'}: " if entry.step.renamed_from else ""
    start += "merge: " if entry.step.merge else ""
    return start + _what(entry)


def _what(entry: Entry) -> str:
    if entry.state == "nothing":
        return "removed" if entry.step.kind == "removed" else "no model"
    if entry.state == "foreign":
        return "no model of kvcs"
    if entry.problem:
        return f"{'damaged' if entry.state == 'damaged' else 'unreadable'}: {plain(entry.problem)}"
    if entry.step.kind == "unknown":
        return "after a version that cannot be read"
    if entry.step.kind == "new":
        what = "first version here" if entry.cut else "new model"
        return f"{what}, {count(entry.layers or 0, 'layer')}"
    return ", ".join(_parts(entry.step, entry.tensors or 0)) or "model as before"


def _parts(step: Step, tensors: int) -> list[str]:
    parts = [
        f"{sign}{count(step.summary[kind], noun)}"
        for kind, (sign, noun) in _SIGNED.items()
        if kind in step.summary
    ]
    parts += [
        f"{count(step.summary[kind], noun)} {what}".strip()
        for kind, (noun, what) in _COUNTED.items()
        if kind in step.summary
    ]
    if step.tensors:
        many = "all" if step.tensors == tensors > 1 else f"{step.tensors:,} of"
        parts.append(f"{many} {count(tensors, 'tensor')}")
    if step.training:
        parts.append("training settings")
    if not parts and step.state:
        parts.append("state only")
    return parts
