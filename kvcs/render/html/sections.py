"""The parts of a page about a comparison, as values: each a table, or nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from kvcs.comparison import Change, Diff
from kvcs.comparison.encoded import Json
from kvcs.comparison.graph import step
from kvcs.comparison.values import Model
from kvcs.render import changes as said
from kvcs.render import words
from kvcs.render.html.layers import MOVED, Layer, Setting, Weight, settings
from kvcs.render.marks import LISTED, MARKS
from kvcs.spec import MISSING


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A row of the overview.

    Attributes:
        name: what about the model.
        old, new: of either version; several values in their order.
        delta: how the new one differs; `=` where it does not.
        counted: whether the values are numbers of ours, and not what stands in the model.
    """

    name: str
    old: tuple[str, ...]
    new: tuple[str, ...]
    delta: str
    counted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """An input or an output, before and after; empty where it is not there."""

    name: str
    old: str
    new: str
    reason: str
    changed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Alike:
    """A setting that changed alike in some layers."""

    layers: tuple[str, ...]
    more: int
    setting: Setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A connection that no layer explains."""

    symbol: str
    word: str
    source: str
    target: str


def overview(diff: Diff) -> list[Fact]:
    """Return the two versions, side by side."""
    old, new = diff.old, diff.new
    kept = [] if diff.kept is None else [_kept(diff, diff.kept)]
    return [
        _numbers("layers", len(old.layers), len(new.layers)),
        _numbers("parameters", old.parameters, new.parameters),
        *kept,
        _same("input → output", _flow(old), _flow(new)),
        _same("training", training(old.training), training(new.training)),
        *([] if old.keras_version == new.keras_version else [_keras(old, new)]),
    ]


def _numbers(name: str, old: int | None, new: int | None) -> Fact:
    sides = [("not known" if many is None else f"{many:,}",) for many in (old, new)]
    delta = ""
    if old is not None and new is not None:
        delta = f"{new - old:+,}" if old != new else "="
    return Fact(name=name, old=sides[0], new=sides[1], delta=delta, counted=True)


def _kept(diff: Diff, kept: int) -> Fact:
    many = diff.old.tensors or 0
    new = (f"{kept:,} of {many:,}",)
    delta = f"{kept - many:+,}" if kept != many else "="
    old = (f"{many:,}",)
    return Fact(name="old weights kept", old=old, new=new, delta=delta, counted=True)


def _same(name: str, old: tuple[str, ...], new: tuple[str, ...]) -> Fact:
    return Fact(name=name, old=old, new=new, delta="=" if old == new else "changed")


def _keras(old: Model, new: Model) -> Fact:
    sides = [(words.cut(each.keras_version) or "not known",) for each in (old, new)]
    return Fact(name="Keras", old=sides[0], new=sides[1], delta="changed")


def _flow(model: Model) -> tuple[str, ...]:
    return (*flow(model.inputs), "→", *flow(model.outputs))


def flow(ports: Mapping[str, Json] | None) -> tuple[str, ...]:
    """Return the first inputs or outputs of a model."""
    if ports is None:
        return ("not known",)
    shown = tuple(words.port(port) for port in list(ports.values())[:LISTED])
    more = len(ports) - len(shown)
    return (*shown, f"and {more:,} more") if more else shown or ("none",)


def training(what: Json) -> tuple[str, ...]:
    """Return the optimizer and the loss that a model was compiled with."""
    if what is None:
        return ("not compiled",)
    found = [words.value(what[key]) for key in ("optimizer", "loss") if what.get(key) is not None]
    return tuple(found) or ("compiled",)


def interface(diff: Diff) -> list[Port]:
    """Return all inputs and outputs before and after."""
    changes = {change.at: change for change in diff.of("interface")}
    found = []
    for side in ("inputs", "outputs"):
        old, new = (getattr(model, side) or {} for model in (diff.old, diff.new))
        for key in dict.fromkeys([*new, *old]):
            found.append(_port(side, key, old, new, changes))
    return found


def _port(
    side: str,
    key: str,
    old: Mapping[str, Json],
    new: Mapping[str, Json],
    changes: Mapping[str, Change],
) -> Port:
    change = changes.get(f":{side}/{step(key)}")
    sides = [words.port(ports[key]) if key in ports else "" for ports in (old, new)]
    return Port(
        name=f"{side[:-1]} {words.cut(key)}",
        old=sides[0],
        new=sides[1],
        reason="" if change is None else said.why(change),
        changed=change is not None or sides[0] != sides[1],
    )


def alike(diff: Diff) -> list[Alike]:
    """Return the settings that changed; where one changed alike in many layers, once for all."""
    found = []
    met: set[str] = set()
    for change in diff.of("config", "trainable"):
        if change.group not in met:
            group = diff.groups.get(change.group, [change])
            met |= {change.group} if change.group else set()
            found.append(_alike(group))
    return found


def _alike(changes: Sequence[Change]) -> Alike:
    first = changes[0]
    return Alike(
        layers=tuple(words.path(change.path) for change in changes[:LISTED]),
        more=max(0, len(changes) - LISTED),
        setting=Setting(
            name=words.setting(first.at) or "trainable",
            old=words.value(first.old),
            new=words.value(first.new),
            changed=True,
        ),
    )


def connections(diff: Diff) -> list[Connection]:
    """Return the connections that changed, and that no added or removed layer explains."""
    return [
        Connection(
            symbol=MARKS[change.kind].symbol,
            word=MARKS[change.kind].word,
            source=words.path(change.at),
            target=words.path(change.path) if change.path else "(output)",
        )
        for change in diff.of("connection_added", "connection_removed")
    ]


def compiled(diff: Diff) -> tuple[Setting, ...]:
    """Return what `compile()` was given, before and after; what changed first."""
    old, new = diff.old.training, diff.new.training
    changes = list(diff.of("training"))
    if old is None or new is None:
        there = (old or {}), (new or {})
        keys = sorted({*there[0], *there[1]})
        sides = [[words.value(each.get(key, MISSING)) for each in there] for key in keys]
        return tuple(
            Setting(name=words.setting(key), old=one, new=other, changed=True)
            for key, (one, other) in zip(keys, sides, strict=True)
        )
    return settings(old, new, changes)


def weights(layers: Sequence[Layer]) -> Iterator[tuple[Layer, Weight]]:
    """Yield the weights that changed, with their layers."""
    for layer in layers:
        if layer.look not in ("added", "removed"):
            yield from ((layer, weight) for weight in layer.weights
                        if weight.change not in ("", MOVED))  # fmt: skip


def notes(diff: Diff) -> list[str]:
    """Return what does not count as a difference, in words."""
    found = [f"{at}: {many}, moved by training" for at, many in said.states(diff).items()]
    found += filter(None, [said.renumbered(diff)])
    for where, what, reason in said.notes(diff):
        start = f"{where}, " if where else ""
        found.append(f"{start}{what}{f': {reason}' if reason else ''}")
    return found
