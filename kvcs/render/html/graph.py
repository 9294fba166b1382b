"""The layers of two models in one graph: those of both once, and those of either."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from kvcs.comparison import Change, Diff, Pair
from kvcs.comparison.graph import Container, Graph, Node
from kvcs.comparison.values import Kind
from kvcs.render.diff import Key, order
from kvcs.render.marks import OF_LAYERS

Part: TypeAlias = Node | Container
Sides: TypeAlias = Literal["both", "old", "new"]

# How a layer is drawn: by the first of these that one of its changes belongs to.
LOOKS: Mapping[str, tuple[Kind, ...]] = {
    "added": ("added", "container_added"),
    "removed": ("removed", "container_removed"),
    "replaced": ("replaced",),
    "moved": ("moved", "rescoped", "renamed", "inputs_reordered"),
    "changed": ("config", "shape", "trainable"),
    "weights": ("weights",),
}
SAME = "same"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vertex:
    """A layer, or a model inside of which something of its own changed.

    Attributes:
        old, new: what it is in either model; None where it is not there.
        changes: what changed of it.
        drawn: whether it is in the graph, as layers are.
        pair: how it was found that the two are the same; None where there are no two.
    """

    old: Part | None
    new: Part | None
    changes: tuple[Change, ...]
    drawn: bool
    pair: Pair | None = None

    @property
    def there(self) -> Part:
        """What it is in the new model, or was in the old one."""
        found = self.old if self.new is None else self.new
        assert found is not None
        return found

    @property
    def look(self) -> str:
        """How it is drawn: one of `LOOKS`, or `SAME`."""
        if self.old is None or self.new is None:  # whatever changes were filtered out
            return "added" if self.old is None else "removed"
        kinds = {change.kind for change in self.changes}
        return next((look for look, of in LOOKS.items() if kinds.intersection(of)), SAME)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """A connection, between vertices by number, and in which of the models it is."""

    source: int
    target: int
    sides: Sides


@dataclass(frozen=True, slots=True, kw_only=True)
class Union:
    """Two models in one graph; the number of a vertex is its place.

    Attributes:
        vertices: in the order of the new model, what was removed where it stood.
        edges: sorted by source and target.
    """

    vertices: tuple[Vertex, ...]
    edges: tuple[Edge, ...]

    def neighbours(self) -> list[set[int]]:
        """Return for each vertex those that it is connected with, in either direction."""
        found: list[set[int]] = [set() for _ in self.vertices]
        for edge in self.edges:
            found[edge.source].add(edge.target)
            found[edge.target].add(edge.source)
        return found


def union(old: Graph, new: Graph, diff: Diff) -> Union:
    """Put two models into one graph.

    Args:
        old, new: the two.
        diff: what was found between them.
    """
    pairs = {pair.new: pair for pair in (*diff.pairs, *diff.containers)}
    changes: dict[Key, list[Change]] = {}
    for change in diff.of(*OF_LAYERS):
        changes.setdefault((change.path, change.new_path is None), []).append(change)
    vertices = []
    for key in order(diff, list(changes)):
        path, gone = key
        pair = None if gone else pairs.get(path)
        before = None if pair is None else pair.old
        vertices.append(
            Vertex(
                old=_part(old, path if gone else before),
                new=None if gone else _part(new, path),
                changes=tuple(changes.get(key, ())),
                drawn=path in (old if gone else new).nodes,
                pair=pair,
            )
        )
    return Union(vertices=tuple(vertices), edges=_edges(vertices, old, new))


def alone(model: Graph) -> Union:
    """Return the graph of one model."""
    vertices = [Vertex(old=node, new=node, changes=(), drawn=True) for node in model.nodes.values()]
    places = {path: number for number, path in enumerate(model.nodes)}
    edges = sorted(
        (places[source], places[path]) for path, sources in model.before.items()
        for source in sources
    )  # fmt: skip
    return Union(
        vertices=tuple(vertices),
        edges=tuple(Edge(source=one, target=other, sides="both") for one, other in edges),
    )


def _part(graph: Graph, path: str | None) -> Part | None:
    if path is None:
        return None
    return graph.nodes.get(path) or graph.ports.get(path) or graph.containers.get(path)


def _edges(vertices: Sequence[Vertex], old: Graph, new: Graph) -> tuple[Edge, ...]:
    before = set(_connections(old, {v.old.path: at for at, v in enumerate(vertices) if v.old}))
    after = set(_connections(new, {v.new.path: at for at, v in enumerate(vertices) if v.new}))
    found = []
    for source, target in sorted(before | after):
        sides: Sides = "both"
        if (source, target) not in before:
            sides = "new"
        elif (source, target) not in after:
            sides = "old"
        found.append(Edge(source=source, target=target, sides=sides))
    return tuple(found)


def _connections(graph: Graph, places: Mapping[str, int]) -> Iterator[tuple[int, int]]:
    for path, sources in graph.before.items():
        for source in sources:
            yield places[source], places[path]
