"""What is said of one layer: in its row of the table, and where it is looked at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kvcs.comparison import Change, Pair
from kvcs.comparison.encoded import text
from kvcs.comparison.layers import AVERAGES, identity
from kvcs.render import changes as said
from kvcs.render import words
from kvcs.render.html.graph import Part, Vertex
from kvcs.render.html.pictures import histogram
from kvcs.render.marks import MARKS, symbols
from kvcs.render.text import shape
from kvcs.spec import MISSING, ModelSpec, StoredModel, TensorSpec

Shapes = Mapping[str, str]

MOVED = "moved by training"  # which is state, and no change of the weights


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A setting, before and after; two values that differ can look alike where they are cut."""

    name: str
    old: str
    new: str
    changed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """A weight of a layer.

    Attributes:
        name: what it is called.
        kind: its shape and dtype, of both sides where they differ.
        change: what became of it; empty where it is the same to the bit.
        numbers: relative L2 norm, cosine, largest change and share; empty where not known.
        picture: the path of its histogram; empty where there is none.
    """

    name: str
    kind: str
    change: str
    numbers: tuple[str, ...] = ()
    picture: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """What is said of a layer.

    Attributes:
        number: of its vertex.
        look: how it is drawn.
        symbols, kinds: what kinds of changes, as symbols and in words.
        name: its path.
        what: class and telling settings, of both sides where they differ.
        shape: of its output.
        parameters: how many, of both sides where they differ.
        told, reasons: what changed, and why.
        match: what it was called, and how it was found to be the same; empty for one side alone.
        settings: all of them; what changed first.
        weights: all of them.
        drawn: whether it is in the graph.
    """

    number: int
    look: str
    symbols: str
    kinds: str
    name: str
    what: str
    shape: str
    parameters: str
    told: tuple[str, ...]
    reasons: tuple[str, ...]
    match: str
    settings: tuple[Setting, ...]
    weights: tuple[Weight, ...]
    drawn: bool


def layer(number: int, vertex: Vertex, shapes: tuple[Shapes, Shapes]) -> Layer:
    """Say of a vertex what there is to say.

    Args:
        number: of the vertex.
        vertex: the layer.
        shapes: for each of the two models, the shape of what comes out of a place.
    """
    kinds = tuple(dict.fromkeys(change.kind for change in vertex.changes))
    sides = [(part, known) for part, known in zip((vertex.old, vertex.new), shapes, strict=True)
             if part is not None]  # fmt: skip
    return Layer(
        number=number,
        look=vertex.look,
        symbols=symbols(kinds, ascii=False),
        kinds=", ".join(dict.fromkeys(MARKS[kind].word for kind in kinds)),
        name=words.path(vertex.there.path),
        what=_both([words.layer(identity(part)) for part, _ in sides]),
        shape=_both([known.get(part.place, "") for part, known in sides]),
        parameters=_parameters([part.spec.parameters for part, _ in sides]),
        told=tuple(dict.fromkeys(said.what(change) for change in vertex.changes)),
        reasons=tuple(dict.fromkeys(filter(None, map(said.why, vertex.changes)))),
        match=_match(vertex.pair),
        settings=settings(_config(vertex.old), _config(vertex.new), vertex.changes),
        weights=tuple(_weights(vertex)),
        drawn=vertex.drawn,
    )


def _match(pair: Pair | None) -> str:
    if pair is None:
        return ""
    was = "" if pair.old == pair.new else f"was {words.path(pair.old)}; "
    return f"{was}matched by {words.cut(pair.strategy)}, {words.number(pair.score)}"


def _both(sides: Sequence[str]) -> str:
    return " → ".join(dict.fromkeys(filter(None, sides)))


def _parameters(sides: Sequence[int]) -> str:
    """Say how many there are, if any: where weights are not known, there are none to count."""
    return _both([f"{many:,}" for many in sides]) if any(sides) else ""


def _config(part: Part | None) -> Mapping[str, Any]:
    return {} if part is None else part.config


def settings(
    old: Mapping[str, Any], new: Mapping[str, Any], changes: Sequence[Change]
) -> tuple[Setting, ...]:
    """Return settings before and after, what changed first.

    Args:
        old, new: by name.
        changes: of these settings; those inside of one have a row of their own.
    """
    shown = [change for change in changes if change.kind in ("config", "training", "trainable")]
    told = {change.at.partition("/")[0].lstrip(":") for change in shown}
    keys = [key for key in sorted(old.keys() | new.keys()) if key not in told]
    if not (old and new):
        there = old or new
        return tuple(_setting(key, there[key], there[key]) for key in keys)
    found = [_setting(change.at or change.kind, change.old, change.new) for change in shown]
    return (*found, *(_setting(key, old.get(key, MISSING), new.get(key, MISSING)) for key in keys))


def _setting(at: str, old: Any, new: Any) -> Setting:
    missing = MISSING in (old, new)
    changed = old is not new if missing else text(old) != text(new)
    values = words.value(old), words.value(new)
    return Setting(name=words.setting(at), old=values[0], new=values[1], changed=changed)


def _weights(vertex: Vertex) -> Iterator[Weight]:
    old = {} if vertex.old is None else vertex.old.spec.tensors
    new = {} if vertex.new is None else vertex.new.spec.tensors
    details = _details(vertex.changes)
    unread = {name: why for change in vertex.changes for name, why in said.unread(change).items()}
    for name in sorted(old.keys() | new.keys()):
        sides = old.get(name), new.get(name)
        kind = _kind([tensor for tensor in sides if tensor is not None])
        if name in details:
            yield _weighed(name, kind, details[name])
        else:
            change = said.not_read(unread[name]) if name in unread else _change(name, *sides)
            yield Weight(name=words.path(name), kind=kind, change=change)


def _details(changes: Sequence[Change]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for change in changes:
        if change.kind in ("weights", "shape") and isinstance(change.details, dict):
            found |= change.details["tensors"]
    return found


def _kind(sides: Sequence[TensorSpec]) -> str:
    kind = _both([f"{shape(tensor.shape)} {words.cut(tensor.dtype)}" for tensor in sides])
    flags = ["trainable" if tensor.trainable else "not trainable" for tensor in sides]
    return kind if set(flags) == {"trainable"} else f"{kind}, {_both(flags)}"


def _change(name: str, old: TensorSpec | None, new: TensorSpec | None) -> str:
    if old is None or new is None:
        return "added" if old is None else "removed"
    if old.shape != new.shape:
        return "another shape"
    if (old.dtype, old.sha256) == (new.dtype, new.sha256):
        return ""
    return MOVED if name.rpartition("/")[2] in AVERAGES else "changed"


def _weighed(name: str, kind: str, numbers: Mapping[str, Any]) -> Weight:
    zero = said.was_zero(dict(numbers))
    return Weight(
        name=words.path(name),
        kind=kind,
        change=", ".join(map(words.cut, numbers.get("labels", ()))) or "changed",
        numbers=(
            "was zero" if zero else words.number(numbers["relative"]),
            "" if zero else words.number(numbers["cosine"], digits=4),
            words.number(numbers["largest"]),
            words.percent(numbers["share"]),
        ),
        picture=histogram(numbers["histogram"]) if numbers.get("histogram") else "",
    )


def shapes(model: StoredModel) -> Shapes:
    """Return for each place in a model what comes out of it, as far as that is known."""
    return dict(_shapes(model.model, ""))


def _shapes(model: ModelSpec, place: str) -> Iterator[tuple[str, str]]:
    for entry in model.layers:
        at = f"{place}{entry.path}"
        if entry.calls:
            yield at, ", ".join(shape(tensor.shape) for tensor in entry.calls[0].outputs)
        if isinstance(entry.layer, ModelSpec):
            yield from _shapes(entry.layer, f"{at}/")
