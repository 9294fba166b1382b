"""Comparisons as one page, each of them as a part of it, or as a fragment for a notebook."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kvcs.comparison import Diff
from kvcs.comparison.flatten import flatten_both
from kvcs.render import words
from kvcs.render.html import assets, sections
from kvcs.render.html.data import data
from kvcs.render.html.folding import folded
from kvcs.render.html.graph import LOOKS, SAME, union
from kvcs.render.html.layers import Layer, Weight, layer, shapes
from kvcs.render.html.model import Alone, of_one
from kvcs.render.marks import MARKS
from kvcs.render.text import plain
from kvcs.render.verdict import totals, verdict

if TYPE_CHECKING:
    from kvcs.commands.diff import Comparison
    from kvcs.commands.diff_all import Outcome

MOST_ROWS = 40  # of layers, in a notebook
# How the symbols in the graph are explained, and how models are marked in the index.
LEGEND = {
    "added": ("+", "added: round ends"),
    "removed": ("-", "removed: dashed, struck through"),
    "replaced": ("≠", "replaced by another class: pointed ends"),
    "moved": ("↕ ✎ ⇥", "moved, renamed, in another model: slanted"),
    "changed": ("~ ▭ ❄", "settings, shapes, frozen or not: a corner cut off"),
    "weights": ("*", "weights alone: a bar on the left"),
    SAME: ("", "unchanged"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What is said of a model that could be compared; see `kvcs.render.html.sections`.

    Attributes:
        histograms: whether any of the weights has one.
        legend: how the kinds of changes that there are look: look, symbol, words.
        data: what the script draws, as JSON.
    """

    overview: list[sections.Fact]
    layers: list[Layer]
    connections: list[sections.Connection]
    alike: list[sections.Alike]
    interface: list[sections.Port]
    training: tuple[Any, ...]
    weights: list[tuple[Layer, Weight]]
    histograms: bool
    notes: list[str]
    totals: str
    legend: list[tuple[str, str, str]]
    data: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A part of the page.

    Attributes:
        number: which part.
        name, old, new: the model and its versions; empty where it is not there.
        verdict: what was done to it.
        look, symbol: how that is marked.
        alarms: what must not be overlooked.
        about: all else; None where there is nothing to compare.
        alone: what there is to say of a model that is on one side only.
    """

    number: int
    name: str
    old: str
    new: str
    verdict: str
    look: str
    symbol: str
    alarms: tuple[str, ...] = ()
    about: About | None = None
    alone: Alone | None = None


def page(outcomes: Sequence[Outcome], command: Sequence[str] = ()) -> str:
    """Return comparisons as one page, with an index on top where there are several.

    Args:
        outcomes: what `kvcs.commands.diff_all.diff_all` found. Where there are several, those are
            counted and not shown in which nothing changed.
        command: what compares the same again, as words of a shell.
    """
    shown = [one for one in outcomes if len(outcomes) == 1 or _says_something(one)]
    models = [_of_outcome(number, outcome) for number, outcome in enumerate(shown)]
    same = len(outcomes) - len(shown)
    return assets.page(
        "comparisons.html",
        interactive=any(model.about or model.alone for model in models),
        title=models[0].name if len(models) == 1 else words.count(len(models), "model"),
        models=models,
        unchanged=words.count(same, "other model" if models else "model") if same else "",
        command=words.shortened(shlex.join(command), 2000) if command else "",
    )


def compared_page(found: Comparison) -> str:
    """Return one comparison as a page."""
    model = _compared(0, found.new_name, found)
    return assets.page(
        "comparisons.html", interactive=True, title=model.name, models=[model], unchanged="",
        command="",
    )  # fmt: skip


def compared_fragment(found: Comparison) -> str:
    """Return one comparison for a notebook: verdict, overview, and the layers that changed."""
    model = _compared(0, found.new_name, found)
    assert model.about is not None
    changed = [each for each in model.about.layers if each.look != SAME]
    return assets.fragment(
        "fragment.html",
        model=model,
        overview=model.about.overview,
        layers=changed[:MOST_ROWS],
        more=words.count(len(changed) - MOST_ROWS, "layer") if len(changed) > MOST_ROWS else "",
    )


def _says_something(outcome: Outcome) -> bool:
    return outcome.found is None or bool(outcome.found.diff.changes)


def _of_outcome(number: int, outcome: Outcome) -> Model:
    versions = outcome.versions
    name = words.path(versions.name)
    if outcome.found is not None:
        return _compared(number, versions.name, outcome.found)
    old, new = words.path(versions.old or ""), words.path(versions.new or "")
    if outcome.error:
        return Model(
            number=number, name=name, old=old, new=new, look="removed", symbol="?",
            verdict="NOT COMPARED: what stands there cannot be read",
            alarms=(words.shortened(outcome.error, 1000),),
        )  # fmt: skip
    look = "removed" if versions.new is None else "added"
    only = old if versions.new is None else new
    return Model(
        number=number, name=name, old="", new="", look=look, symbol=LEGEND[look][0],
        verdict=f"{look.upper()}: only in {only}",
        alone=None if outcome.alone is None else of_one(outcome.alone),
    )  # fmt: skip


def _compared(number: int, name: str, found: Comparison) -> Model:
    diff = found.diff
    about = _about(found)
    look = next((look for look in LOOKS if any(each.look == look for each in about.layers)), SAME)
    symbol = LEGEND[look][0][:1] or "="
    if any(diff.of("interface")):
        look, symbol = "removed", MARKS["interface"].symbol
    return Model(
        number=number,
        name=words.path(name),
        old=words.operand(found.old_name),
        new=words.operand(found.new_name),
        verdict=verdict(diff),
        look=look,
        symbol=symbol,
        alarms=(*_broken(diff), *(plain(each) for each in diff.unread())),
        about=about,
    )


def _broken(diff: Diff) -> list[str]:
    """Say which inputs and outputs are other ones, for what calls the model relies on them."""
    return [
        f"{port.name}: {port.old or '(none)'} → {port.new or '(none)'}"
        for port in sections.interface(diff)
        if port.changed
    ]


def _about(found: Comparison) -> About:
    diff = found.diff
    graph = union(*flatten_both(*found.models), diff)
    known = shapes(found.models[0]), shapes(found.models[1])
    layers = [layer(number, vertex, known) for number, vertex in enumerate(graph.vertices)]
    weights = list(sections.weights(layers))
    return About(
        overview=sections.overview(diff),
        layers=layers,
        connections=sections.connections(diff),
        alike=sections.alike(diff),
        interface=sections.interface(diff),
        training=sections.compiled(diff),
        weights=weights,
        histograms=any(weight.picture for _, weight in weights),
        notes=sections.notes(diff),
        totals=totals(diff),
        legend=_legend({each.look for each in layers}),
        data=assets.as_json(data(graph, folded(graph), layers)),
    )


def _legend(looks: set[str]) -> list[tuple[str, str, str]]:
    if looks == {SAME}:
        return []
    return [(look, *told) for look, told in LEGEND.items() if look in looks]
