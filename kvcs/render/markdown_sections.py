"""The sections of a diff in Markdown, and the table that stands above them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from kvcs.comparison import Change, Diff
from kvcs.comparison.values import Kind, Model
from kvcs.render import changes as said
from kvcs.render import words
from kvcs.render.markdown_text import block, code, row, table
from kvcs.render.marks import LISTED

# How a change of a layer is coloured in a block of the language `diff`.
_SIGNS: dict[Kind, str] = {
    "added": "+", "container_added": "+", "connection_added": "+",
    "removed": "-", "container_removed": "-", "connection_removed": "-",
}  # fmt: skip
_WORDS: dict[Kind, str] = {
    "container_added": "model inside added: ", "container_removed": "model inside removed: ",
    "replaced": "replaced: ", "moved": "", "rescoped": "in another model: ", "renamed": "renamed, ",
    "inputs_reordered": "",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of what is said of a model, made of rows of which the last can be left out.

    Attributes:
        name: which part: one of `kvcs.comparison.LEVELS`.
        title: what stands above it.
        rows: one line each.
        laid_out: lays rows out.
        open: whether it is shown at once, or behind its title.
    """

    name: str
    title: str
    rows: list[str]
    laid_out: Callable[[list[str]], list[str]]
    open: bool

    def lines(self, most: int | None = None) -> list[str]:
        """Return the section, with at most some rows."""
        kept = self.rows if most is None else self.rows[:most]
        left = len(self.rows) - len(kept)
        more = ["", f"… {left:,} more"] if left else []
        shown = " open" if self.open else ""
        return [
            f"<details{shown}><summary>{self.title}</summary>",
            "",
            *(self.laid_out(kept) if kept else []),
            *more,
            "",
            "</details>",
        ]


def overview(diff: Diff, old: str, new: str) -> list[str]:
    """Return the table of the two versions."""
    base, head = diff.old, diff.new
    rows = [
        ("layers", *_numbers(len(base.layers), len(head.layers))),
        ("parameters", *_numbers(base.parameters, head.parameters)),
        ("old weights kept", *_kept(diff)),
        ("input → output", *_same(_flow(base), _flow(head))),
        ("training", *_same(_training(base), _training(head))),
    ]
    return [
        *table(["", f"base {code(old)}", f"head {code(new)}", "Δ"], right=(3,)),
        *(row(cells) for cells in rows),
    ]


def _numbers(before: int | None, after: int | None) -> tuple[str, str, str]:
    one, other = ("not known" if many is None else f"{many:,}" for many in (before, after))
    if before is None or after is None:
        return one, other, ""
    return one, other, f"{after - before:+,}" if before != after else "="


def _kept(diff: Diff) -> tuple[str, str, str]:
    if diff.kept is None or diff.old.tensors is None or diff.new.tensors is None:
        return "", "not compared", ""
    of = f"{diff.kept:,} of {diff.old.tensors:,}"
    lost = diff.kept - diff.old.tensors
    return f"{diff.old.tensors:,}", of, f"{lost:+,}" if lost else "="


def _same(before: str, after: str) -> tuple[str, str, str]:
    return before, after, "=" if before == after else "changed"


def _flow(model: Model) -> str:
    return f"{_ports(model.inputs)} → {_ports(model.outputs)}"


def _ports(ports: Any) -> str:
    if ports is None:
        return "not known"
    shown = [code(words.port(port)) for port in list(ports.values())[:LISTED]]
    more = len(ports) - len(shown)
    return ", ".join(shown) + (f" and {more:,} more" if more else "") or "–"


def _training(model: Model) -> str:
    if model.training is None:
        return "–"
    told = [words.value(model.training[key]) for key in ("optimizer", "loss")
            if model.training.get(key) is not None]  # fmt: skip
    return ", ".join(map(code, told)) or "compiled"


def sections(diff: Diff) -> list[Section]:
    """Return what changed, most important first; nothing for a part in which nothing did."""
    found = [
        _listed("interface", "⚠️ Interface", _ports_changed(diff), shown=True),
        _architecture(diff),
        _tabled("config", "Settings", ["layers", "setting", "base", "head"], _settings(diff)),
        _tabled("training", "Training", ["", "base", "head"], _trained(diff)),
        _weights(diff),
        _listed("state", "State", _state(diff), shown=False),
        _listed("notes", "Notes", _notes(diff), shown=False),
    ]
    return [section for section in found if section.rows]


def _listed(name: str, title: str, rows: list[str], *, shown: bool) -> Section:
    return Section(name=name, title=_counted(title, rows), rows=rows, laid_out=list, open=shown)


def _tabled(
    name: str, title: str, head: list[str], rows: list[str], right: Iterable[int] = ()
) -> Section:
    return Section(
        name=name,
        title=_counted(title, rows),
        rows=rows,
        laid_out=lambda kept: [*table(head, right), *kept],
        open=name in ("config", "training"),
    )


def _counted(title: str, rows: list[str]) -> str:
    return f"{title} ({len(rows):,})"


def _ports_changed(diff: Diff) -> list[str]:
    return [
        f"- {code(words.setting(change.at))}: {code(said.port(change))}{_reason(change)}"
        for change in diff.of("interface")
    ]


def _reason(change: Change) -> str:
    why = said.why(change)
    return f", {code(why)}" if why else ""


def _architecture(diff: Diff) -> Section:
    rows = [_layer(change) for change in _in_order(diff)]
    rows += [_connection(change) for change in diff.of("connection_added", "connection_removed")]
    return Section(
        name="architecture",
        title=_counted("Layers and connections", rows),
        rows=rows,
        laid_out=lambda kept: block(kept, "diff"),
        open=len(rows) <= 50,
    )


def _in_order(diff: Diff) -> list[Change]:
    """Return the changes of layers in the order in which the layers stand."""
    places = {path: index for index, path in enumerate(diff.new.layers)}
    there = {pair.old: pair.new for pair in diff.pairs}
    last = -1
    before: dict[str, float] = {}
    for path in diff.old.layers:
        last = places.get(there.get(path, ""), last)
        before[path] = last + 0.5

    def place(change: Change) -> float:
        if change.new_path is None:
            return before.get(change.path, -0.5)
        return places.get(change.path, -1)

    kinds: tuple[Kind, ...] = (
        "added", "removed", "container_added", "container_removed", "replaced", "moved",
        "rescoped", "renamed", "inputs_reordered",
    )  # fmt: skip
    return sorted(diff.of(*kinds), key=place)


def _layer(change: Change) -> str:
    what = said.what(change)
    what = f"{_WORDS.get(change.kind, '')}{what}"
    why = said.why(change)
    line = f"{_SIGNS.get(change.kind, '!')} {words.path(change.path)}  {what}"
    return f"{line}   # {why}" if why else line


def _connection(change: Change) -> str:
    consumer = words.path(change.path) if change.path else "(output)"
    return f"{_SIGNS[change.kind]} {words.path(change.at)} → {consumer}"


def _settings(diff: Diff) -> list[str]:
    """Return a row for each setting; where it changed alike in several layers, one for all."""
    rows = []
    met: set[str] = set()
    for change in diff.of("config"):
        group = diff.groups.get(change.group, [change])
        if change.group in met:
            continue
        met |= {change.group} if change.group else set()
        setting = code(words.setting(change.at))
        values = code(words.value(change.old)), code(words.value(change.new))
        rows.append(row([_layers(group), setting, *values]))
    return rows


def _layers(changes: list[Change]) -> str:
    shown = ", ".join(code(words.path(change.path)) for change in changes[:LISTED])
    more = len(changes) - LISTED
    return f"{shown} and {more:,} more" if more > 0 else shown


def _trained(diff: Diff) -> list[str]:
    return [
        row([code(words.setting(change.at) or "compile"), code(words.value(change.old)),
             code(words.value(change.new))])
        for change in diff.of("training")
    ]  # fmt: skip


def _weights(diff: Diff) -> Section:
    frozen = [group for group in said.in_groups(diff) if group[0].kind == "trainable"]
    told = {change.id for group in frozen for change in group}
    rows = [
        row([_layers(group), "", "", "", "", "", code(said.trainable(group[0]))])
        for group in frozen
    ]
    for change in diff.of("shape", "trainable", "weights"):
        rows += [] if change.id in told else _rows(change)
    head = ["layer", "weight", "relative L2", "cosine", "max change", "share changed", ""]
    return _tabled("weights", "Weights", head, rows, right=(2, 3, 4, 5))


def _rows(change: Change) -> list[str]:
    layer = code(words.path(change.path))
    if change.kind == "trainable":
        return [row([layer, "", "", "", "", "", code(said.trainable(change))])]
    details = change.details if isinstance(change.details, dict) else {"tensors": {}}
    rows = [
        row([layer, code(words.path(name)), *_statistics(numbers)])
        for name, numbers in details["tensors"].items()
    ]
    rows += [
        row([layer, code(words.path(name)), "", "", "", "", code(said.not_read(each))])
        for name, each in said.unread(change).items()
    ]
    if change.kind == "shape":
        why = said.why(change)
        shapes = f"{words.shapes(change.old)} → {words.shapes(change.new)}"
        shapes = words.shortened(shapes, 500)
        told = f"{code(shapes)}, {code(why)}" if why else code(shapes)
        rows.insert(0, row([layer, "", "", "", "", "", told]))
    return rows or [row([layer, "", "", "", "", "", "changed"])]


def _statistics(numbers: dict[str, Any]) -> list[str]:
    relative = "was zero" if said.was_zero(numbers) else words.number(numbers["relative"])
    cosine = "" if said.was_zero(numbers) else words.number(numbers["cosine"], digits=4)
    labels = ", ".join(code(label) for label in numbers.get("labels", ()))
    share = words.percent(numbers["share"])
    return [relative, cosine, words.number(numbers["largest"]), share, labels]


def _state(diff: Diff) -> list[str]:
    found = []
    for at, many in said.states(diff).items():
        found.append(f"- {code(at)}: {many}, moved by training")
    return found


def _notes(diff: Diff) -> list[str]:
    found = [f"- {said.renumbered(diff)}"] if said.renumbered(diff) else []
    for where, what, reason in said.notes(diff):
        start = f"- {where}, " if where else "- "
        found.append(f"{start}{code(what)}{f', {code(reason)}' if reason else ''}")
    return found
