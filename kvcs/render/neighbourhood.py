"""The part of two models that a small drawing shows: what changed, what is next to it, the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from kvcs.comparison import LEVELS, Change, Diff
from kvcs.render.diff import Key, order
from kvcs.render.marks import OF_LAYERS

Sides: TypeAlias = Literal["both", "old", "new"]
Edges: TypeAlias = Mapping[tuple[Key, Key], Sides]

OUTPUT: Key = ("", False)  # what the model gives out; no layer has an empty path


@dataclass(frozen=True, slots=True, kw_only=True)
class Both:
    """Two models as one graph: layers that are in both stand in it once.

    Attributes:
        layers: in the order of the new model, those of the old one where they stood; the outputs
            of the model come last.
        edges: which models each connection is in.
        changes: of the layers that changed.
        focus: the layers to be shown, most important first: those that were added, removed or
            moved, then those with other settings, then what follows from that or is alike in many.
    """

    layers: Sequence[Key]
    edges: Edges
    changes: Mapping[Key, list[Change]]
    focus: Sequence[Key]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """One node of a drawing: a layer that is shown, or a run of layers that are not."""

    layers: tuple[Key, ...]
    shown: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """What is drawn: spots by number, in order, and the connections between them."""

    spots: Sequence[Spot]
    edges: Mapping[tuple[int, int], Sides]

    def depth(self) -> int:
        """Return how many spots the longest way has that never goes back."""
        depths = [1] * len(self.spots)
        for source, target in sorted(self.edges, key=lambda edge: (edge[1], edge[0])):
            if source < target:
                depths[target] = max(depths[target], depths[source] + 1)
        return max(depths, default=0)


def both(diff: Diff) -> Both:
    """Put two models into one graph."""
    there: dict[str, Key] = {pair.old: (pair.new, False) for pair in diff.pairs}
    there[OUTPUT[0]] = OUTPUT
    changes: dict[Key, list[Change]] = {}
    for change in diff.of(*OF_LAYERS):
        changes.setdefault((change.path, change.new_path is None), []).append(change)
    layers = order(diff, [])
    ranks = {**_ranks(changes), **dict.fromkeys(_ends(diff, there), 0)}
    focus = sorted((key for key in layers if key in ranks), key=lambda key: ranks[key])
    return Both(layers=[*layers, OUTPUT], edges=_edges(diff, there), changes=changes, focus=focus)


def _edges(diff: Diff, there: Mapping[str, Key]) -> Edges:
    before = {
        (there.get(source, (source, True)), there.get(path, (path, True)))
        for path, sources in diff.old.connections.items()
        for source in sources
    }
    after = {
        ((source, False), (path, False))
        for path, sources in diff.new.connections.items()
        for source in sources
    }
    return {
        edge: "both" if edge in before and edge in after else "new" if edge in after else "old"
        for edge in sorted(before | after)
    }


def _ranks(changes: Mapping[Key, list[Change]]) -> dict[Key, int]:
    """Return how important it is to show each layer that changed in more than its weights."""
    found: dict[Key, int] = {}
    for key, several in changes.items():
        ranks = [_rank(change) for change in several if change.kind in _DRAWN]
        if ranks:
            found[key] = min(ranks)
    return found


def _ends(diff: Diff, there: Mapping[str, Key]) -> Iterator[Key]:
    """Yield the ends of connections that no other change explains."""
    for change in diff.of("connection_added"):
        yield from ((change.at, False), (change.path, False))
    for change in diff.of("connection_removed"):
        yield from (there.get(path, (path, True)) for path in (change.at, change.path))


_DRAWN = {*LEVELS["architecture"], *LEVELS["config"]}


def _rank(change: Change) -> int:
    if change.kind != "config":
        return 1 if change.kind == "renamed" else 0
    return 2 if change.group or change.consequence_of else 1


def drawn(graph: Both, most: int, *, context: bool = True) -> Drawing:
    """Choose what is drawn.

    Layers that are not shown become one spot wherever the same of what is shown stands above and
    below them. So nothing that is shown stands between layers of a run, and a drawing of a graph
    without cycles has none.

    Args:
        graph: both models.
        most: layers of its focus that are shown.
        context: show their neighbours too.
    """
    focus = set(graph.focus[:most])
    beside = {end for edge in graph.edges if context and focus.intersection(edge) for end in edge}
    shown = focus | beside
    spots = _spots(graph, shown)
    numbers = {key: index for index, spot in enumerate(spots) for key in spot.layers}
    edges: dict[tuple[int, int], Sides] = {}
    for (source, target), sides in graph.edges.items():
        if source in numbers and target in numbers and numbers[source] != numbers[target]:
            edge = numbers[source], numbers[target]
            edges[edge] = sides if edges.get(edge, sides) == sides else "both"
    return Drawing(spots=spots, edges=edges)


def _spots(graph: Both, shown: set[Key]) -> list[Spot]:
    above = _reached(graph.layers, list(graph.edges), shown)
    below = _reached(
        graph.layers[::-1], [(target, source) for source, target in graph.edges], shown
    )
    runs: dict[tuple[int, int], list[Key]] = {}
    found: list[list[Key]] = []
    for key in graph.layers:
        if key in shown:
            found.append([key])
        elif key != OUTPUT:
            run = runs.setdefault((above[key], below[key]), [])
            run.append(key)
            found += [run] if len(run) == 1 else []
    return [Spot(layers=tuple(keys), shown=len(keys) == 1) for keys in found]


def _reached(
    layers: Sequence[Key], edges: Sequence[tuple[Key, Key]], shown: set[Key]
) -> dict[Key, int]:
    """Return for each layer, as bits of a number, which of those shown a path comes from.

    Args:
        layers: in the direction of the edges, as far as there is one: a layer that moved can be
            on a cycle of connections of both models.
        edges: from one layer to another.
        shown: some of the layers.
    """
    bits = {key: 1 << index for index, key in enumerate(key for key in layers if key in shown)}
    targets: dict[Key, list[Key]] = {}
    for source, target in edges:
        targets.setdefault(source, []).append(target)
    found = dict.fromkeys(layers, 0)
    before: dict[Key, int] = {}
    while found != before:
        before = dict(found)
        for key in layers:
            for target in targets.get(key, ()):
                found[target] |= found[key] | bits.get(key, 0)
    return found
